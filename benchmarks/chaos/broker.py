"""The broker as an endpoint: a queue of the run for all events, which is read by an own connection."""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pika
from pika.exceptions import AMQPError

from benchmarks.rabbit import EXCHANGE


class BrokerEndpoint:
    """A thread that notes the ids of the messages of its queue in their order."""

    url = "amqp"

    def __init__(self, url: str) -> None:
        self.accepted: list[str] = []
        self._url, self._over, self._queue = url, Event(), f"chaos.{uuid4().hex}"
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(self._queue, EXCHANGE, "#")
        self._thread = Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading and delete the queue."""
        self._over.set()
        self._thread.join()
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            connection.channel().queue_delete(self._queue)

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(AMQPError), pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
                self._read(connection.channel())

    def _read(self, channel: Any) -> None:
        for method, properties, _ in channel.consume(self._queue, inactivity_timeout=0.5):
            if method:
                self.accepted.append(properties.message_id)
                channel.basic_ack(method.delivery_tag)
            if self._over.is_set():
                return
