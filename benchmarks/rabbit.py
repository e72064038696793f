"""RabbitMQ without this site: a queue to publish to, and the rate of pika alone with the same confirms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from uuid import uuid4

import pika

EXCHANGE = "progress.events"
BODY = b"x" * 400
AT_ONCE = 500


@contextmanager
def queue(url: str) -> Iterator[None]:
    """Create a durable quorum queue for all events, and delete it afterwards."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    name = f"bench.{uuid4().hex}"
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(name, EXCHANGE, "#")
    connection.close()
    yield
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(name)
    connection.close()


class Bare:
    """Publisher of persistent, mandatory messages with a limited number under way; each is confirmed."""

    def __init__(self, url: str, *, messages: int) -> None:
        self._left = messages
        self._under_way: set[int] = set()
        self._tag = 0
        self._channel: Any = None
        self._connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_close_callback=lambda connection, _: connection.ioloop.stop(),
        )

    def seconds(self) -> float:
        """Return the seconds from opening the connection to the last confirm."""
        begun = perf_counter()
        self._connection.ioloop.start()
        return perf_counter() - begun

    def _opened(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._confirmed, lambda _: self._publish())

    def _publish(self) -> None:
        portion = min(AT_ONCE, self._left)
        self._left -= portion
        for _ in range(portion):
            self._tag += 1
            self._under_way.add(self._tag)
            properties = pika.BasicProperties(delivery_mode=2, message_id=uuid4().hex)
            self._channel.basic_publish(EXCHANGE, "job.completed", BODY, properties, mandatory=True)

    def _confirmed(self, frame: Any) -> None:
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        self._under_way -= {each for each in self._under_way if each <= tag} if multiple else {tag}
        if self._left and not self._under_way:
            self._publish()
        elif not self._under_way:
            self._connection.close()
