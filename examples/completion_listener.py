"""A listener of Progress Site: it prints each completion once, also after it was restarted.

    completion_listener.py --url http://127.0.0.1:8000 --token SECRET             the feed, followed over HTTP
    completion_listener.py --amqp amqp://guest:guest@127.0.0.1:5672/ --queue q.me    a queue of its own at RabbitMQ

The feed needs the standard library only; Python 3.9 is enough. RabbitMQ needs pika, and somebody who has told the site
to send its events there (POST /api/v1/endpoints {"url": "amqp"}).

Both ways tell an event at least once, always under the same event_id. So a listener remembers the ids of what it has
dealt with, in a file here; a service with a database writes the id in the transaction of what it does.
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
except ImportError:  # the feed does without
    pika, AMQPError = None, OSError

log = logging.getLogger("listener")

EXCHANGE = "progress.events"
ROUTING_KEY = "#.completed"
ENDING = ".completed"
REMEMBERED = 10_000
PREFETCH = 50
PAUSE = 2.0
# The site says something every 15 seconds.
SILENCE = 60.0
TRY_AGAIN = {429, 500, 502, 503, 504}

Event = dict[str, Any]


class Memory:
    """The events that were dealt with, in a file with a line for each: its place in the feed (0: none) and its id."""

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
        """Remember it, on the disk."""
        self._ids.add(event["event_id"])
        self._file.write(f"{event.get('id', 0)} {event['event_id']}\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def deal_with(event: Event, memory: Memory) -> None:
    """Print a completion unless that was done before."""
    if event["type"].endswith(ENDING) and event not in memory:
        sys.stdout.write(f"{sentence(event)}\n")
        sys.stdout.flush()
        memory.add(event)


def sentence(event: Event) -> str:
    """`2026-11-21T03:44:22Z batch_001: video.embeddings.completed, 18 of 20, partial`."""
    data = event["data"]
    parts = [f"{event['occurred_at']} {event['job_id']}: {event['type']}"]
    if "total_assets" in data:
        parts.append(f"{data['processed_assets']} of {data['total_assets']}")
    if data.get("has_partial_completion"):
        parts.append("partial")
    return ", ".join(parts)


# --- the feed --------------------------------------------------------------------------------------


def follow_feed(url: str, token: str, memory: Memory) -> None:
    """Follow the feed until interrupted; after a break from where it ended."""
    while True:
        try:
            for event in feed(url, token, after=memory.last):
                deal_with(event, memory)
                memory.last = event["id"]
            log.info("the stream ended, again in %.0f s", PAUSE)
        except (OSError, http.client.HTTPException) as error:
            log.warning("no answer (%s), again in %.0f s", error or type(error).__name__, PAUSE)
        time.sleep(PAUSE)


def feed(url: str, token: str, *, after: int) -> Iterator[Event]:
    """The events after this id as they come, until the connection ends."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    with closing(make(parts.netloc, timeout=SILENCE)) as connection:
        connection.request("GET", f"{parts.path.rstrip('/')}/api/v1/events?after={after}", headers=headers)
        response = connection.getresponse()
        if response.status in TRY_AGAIN:
            raise http.client.HTTPException(f"HTTP {response.status}")
        if response.status != http.client.OK:
            raise SystemExit(f"refused: {response.read().decode(errors='replace')}")
        while line := response.readline():
            name, _, value = line.partition(b": ")
            if name == b"data":
                yield json.loads(value)


# --- the broker ------------------------------------------------------------------------------------


def listen_to_broker(url: str, queue: str, memory: Memory) -> None:
    """Take from the queue until interrupted; acknowledged once it is remembered."""
    while True:
        try:
            with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
                channel = connection.channel()
                declare(channel, queue)
                take(channel, queue, memory)
        except (AMQPError, OSError) as error:
            log.warning("no broker (%r), again in %.0f s", error, PAUSE)
        time.sleep(PAUSE)


def take(channel: Any, queue: str, memory: Memory) -> None:
    """Deal with each message; what is no event goes to the dead letters."""
    channel.basic_qos(prefetch_count=PREFETCH)
    for method, _, body in channel.consume(queue):
        try:
            deal_with(json.loads(body), memory)
        except (ValueError, KeyError, TypeError):
            log.warning("no event: %r", body[:200])
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)


def declare(channel: Any, queue: str) -> None:
    """A durable queue of our own, which nobody else takes from, and a second one for its dead letters."""
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
    """Write a file so that a crash leaves the old one or the new one."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; the environment gives what is left out."""
    parser = argparse.ArgumentParser(description="Print each completion once.")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""))
    parser.add_argument("--amqp", default=os.environ.get("AMQP_URL", ""), help="RabbitMQ; without it the feed is read")
    parser.add_argument("--queue", default="q.completion_listener", help="the queue of this listener alone")
    parser.add_argument("--seen", type=Path, default=Path("completions.seen"), help="the file that remembers")
    options = parser.parse_args(arguments)
    if options.amqp and pika is None:
        parser.error("RabbitMQ needs pika")
    if not options.amqp and not options.token:
        parser.error("the feed needs --token or PROGRESS_TOKEN")
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
