"""Listener for completion events of Progress Site: print each completion once, even after a restart.

    completion_listener.py --url http://127.0.0.1:8000 --token SECRET             read the event feed over HTTP
    completion_listener.py --amqp amqp://guest:guest@127.0.0.1:5672/ --queue q.me    read its own RabbitMQ queue

The feed needs Python 3.9 and the standard library only. RabbitMQ needs pika, and an endpoint on the site that sends
events to it (POST /api/v1/endpoints {"url": "amqp"}).

Both ways deliver an event at least once, always with the same event_id. So this listener stores the ids of handled
events in a file. A service with a database stores the id in the transaction of its own work.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

try:
    import pika
    from pika.exceptions import AMQPError
except ImportError:  # the feed does not need it
    pika, AMQPError = None, OSError

log = logging.getLogger("listener")

EXCHANGE = "progress.events"
ROUTING_KEY = "#.completed"
ENDING = ".completed"
REMEMBERED = 10_000
PREFETCH = 50
PAUSE = 2.0
# The site sends a comment at least every 15 seconds.
READ_TIMEOUT = 60.0
TRY_AGAIN = {429, 500, 502, 503, 504}

Event = dict[str, Any]


class Memory:
    """Handled events, stored in a file: one line with feed position (0: none) and event id for each."""

    def __init__(self, file: Path) -> None:
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        whole = [line for line in lines if len(line) == 2 and line[0].isdigit()][-REMEMBERED:]
        self.last = max((int(place) for place, _ in whole), default=0)
        self._ids = {event_id for _, event_id in whole}
        _replace(file, "".join(f"{place} {event_id}\n" for place, event_id in whole))
        self._file = file.open("a")

    def __contains__(self, event: Event) -> bool:
        return event["event_id"] in self._ids

    def add(self, event: Event) -> None:
        """Store the id of a handled event on disk."""
        self._ids.add(event["event_id"])
        self._file.write(f"{event.get('id', 0)} {event['event_id']}\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def handle(event: Event, memory: Memory) -> None:
    """Print a completion event, unless it was handled before."""
    if event["type"].endswith(ENDING) and event not in memory:
        sys.stdout.write(f"{sentence(event)}\n")
        sys.stdout.flush()
        memory.add(event)


def sentence(event: Event) -> str:
    """Format an event: `2026-11-21T03:44:22Z batch_001: video.embeddings.completed, 18 of 20, partial`."""
    data = event["data"]
    parts = [f"{event['occurred_at']} {event['job_id']}: {event['type']}"]
    if "total_assets" in data:
        parts.append(f"{data['processed_assets']} of {data['total_assets']}")
    if data.get("has_partial_completion"):
        parts.append("partial")
    return ", ".join(parts)


# --- the feed --------------------------------------------------------------------------------------


def follow_feed(url: str, token: str, memory: Memory) -> None:
    """Read the feed until interrupted; after a lost connection, continue after the last event."""
    while True:
        try:
            for event in feed(url, token, after=memory.last):
                handle(event, memory)
                memory.last = event["id"]
            log.info("the stream ended, next try in %.0f s", PAUSE)
        except (OSError, http.client.HTTPException) as error:
            log.warning("no answer (%s), next try in %.0f s", error or type(error).__name__, PAUSE)
        time.sleep(PAUSE)


def feed(url: str, token: str, *, after: int) -> Iterator[Event]:
    """Yield the events after this id until the connection ends."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    with closing(make(parts.netloc, timeout=READ_TIMEOUT)) as connection:
        connection.request("GET", f"{parts.path.rstrip('/')}/api/v1/events?after={after}", headers=headers)
        response = connection.getresponse()
        if response.status in TRY_AGAIN:
            raise http.client.HTTPException(f"HTTP {response.status}")
        if response.status != http.client.OK:
            raise SystemExit(f"The site rejected the request: {response.read().decode(errors='replace')}")
        while line := response.readline():
            name, _, value = line.partition(b": ")
            if name == b"data":
                yield json.loads(value)


# --- the broker ------------------------------------------------------------------------------------


def listen_to_broker(url: str, queue: str, memory: Memory) -> None:
    """Consume the queue until interrupted; acknowledge each message after its id is stored."""
    while True:
        try:
            with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
                channel = connection.channel()
                declare(channel, queue)
                consume(channel, queue, memory)
        except (AMQPError, OSError) as error:
            log.warning("no broker (%r), next try in %.0f s", error, PAUSE)
        time.sleep(PAUSE)


def consume(channel: Any, queue: str, memory: Memory) -> None:
    """Handle each message; reject a message that is not an event to the dead letter queue."""
    channel.basic_qos(prefetch_count=PREFETCH)
    for method, _, body in channel.consume(queue):
        try:
            handle(json.loads(body), memory)
        except (ValueError, KeyError, TypeError):
            log.warning("not an event: %r", body[:200])
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)


def declare(channel: Any, queue: str) -> None:
    """Declare a durable queue for this listener alone, and a second one for its dead letters."""
    dead_letters, dead_queue = f"{EXCHANGE}.dead", f"{queue}.dead"
    quorum = {"x-queue-type": "quorum"}
    limits = {
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": dead_letters,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.exchange_declare(dead_letters, "direct", durable=True)
    channel.queue_declare(dead_queue, durable=True, arguments=quorum)
    channel.queue_bind(dead_queue, dead_letters, routing_key=queue)
    channel.queue_declare(queue, durable=True, arguments={**quorum, **limits})
    channel.queue_bind(queue, EXCHANGE, routing_key=ROUTING_KEY)


# --- the program -----------------------------------------------------------------------------------


def _replace(file: Path, text: str) -> None:
    """Replace a file atomically: a crash leaves the old file or the new one."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse the options; the environment has the defaults."""
    parser = argparse.ArgumentParser(description="Print each completion once.")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""))
    parser.add_argument(
        "--amqp", default=os.environ.get("AMQP_URL", ""), help="URL of RabbitMQ; without it, read the feed"
    )
    parser.add_argument("--queue", default="q.completion_listener", help="the queue, used by this listener only")
    parser.add_argument("--seen", type=Path, default=Path("completions.seen"), help="the file of handled events")
    options = parser.parse_args(arguments)
    if options.amqp and pika is None:
        parser.error("RabbitMQ needs pika; install it with pip install pika")
    if not options.amqp and not options.token:
        parser.error("the feed needs a token: set --token or PROGRESS_TOKEN")
    return options


def main(arguments: list[str]) -> None:
    """Listen until SIGINT or SIGTERM."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse(arguments)
    try:
        memory = Memory(options.seen)
        if options.amqp:
            listen_to_broker(options.amqp, options.queue, memory)
        else:
            follow_feed(options.url, options.token, memory)
    except KeyboardInterrupt:
        log.info("stopped")


if __name__ == "__main__":
    main(sys.argv[1:])
