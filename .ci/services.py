"""Check of the services: a real connection to each, repeated for half a minute; exit 1 and the reason if it fails."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pika
import psycopg
import redis

TIMEOUT_SECONDS = 30


def postgres() -> None:
    """Connect and ask."""
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        connection.execute("SELECT 1")


def redis_server() -> None:
    """Connect and ask."""
    redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5).ping()


def rabbitmq() -> None:
    """Connect."""
    pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).close()


CHECKS: dict[str, Callable[[], None]] = {"postgres": postgres, "rabbitmq": rabbitmq, "redis": redis_server}


def answers(name: str, *, until: float) -> str:
    """Return an empty text as soon as the service answers, else the reason why it does not."""
    while True:
        try:
            CHECKS[name]()
        except (psycopg.Error, pika.exceptions.AMQPError, redis.RedisError) as error:
            if time.monotonic() > until:
                return f"{name} does not answer: {error}"
            time.sleep(0.5)
        else:
            return ""


def main(arguments: list[str]) -> int:
    """Return 0 if all named services answer; with --once they are tried a single time and silently."""
    once = "--once" in arguments
    until = time.monotonic() + (0 if once else TIMEOUT_SECONDS)
    faults = [answers(name, until=until) for name in arguments if name in CHECKS]
    if any(faults) and not once:
        print("\n".join(filter(None, faults)), file=sys.stderr)
    return 1 if any(faults) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
