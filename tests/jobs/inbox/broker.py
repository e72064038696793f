"""A producer at the broker, and the queues of one test there."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pika

from jobs.inbox.topology import EXCHANGE, dead_exchange, dead_queue, declare_consumer
from tests.jobs.inbox.messages import event

PERSISTENT = pika.BasicProperties(delivery_mode=2)


class Producer:
    """Publishes with confirms, through an exchange of its own unless another is given."""

    def __init__(self, url: str, *, exchange: str = "") -> None:
        self.exchange = exchange or f"test.{uuid4().hex}"
        self.queue = f"q.{self.exchange}"
        self._queues = [self.queue]
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()

    def declare(self, queue: str, *types: str) -> str:
        """Another service's queue, in full."""
        name = f"{self.exchange}.{queue}"
        declare_consumer(self.channel, name, types, exchange=self.exchange)
        self._queues.append(name)
        return name

    def publish(self, type: str, body: Any) -> None:
        """One message; bytes go as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.channel.basic_publish(self.exchange, type, raw, PERSISTENT, mandatory=True)

    def tell(self, type: str, **data: Any) -> None:
        """One event with an id of its own."""
        self.publish(type, event(type, **data))

    def waiting(self, queue: str) -> int:
        """Return the number of messages that are ready in a queue."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def take(self, queue: str) -> list[bytes]:
        """Return the messages that wait in a queue."""
        found = []
        while (got := self.channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(got[2])
        return found

    def close(self) -> None:
        """Remove what is its own."""
        if self.exchange != EXCHANGE:
            for queue in self._queues:
                self.channel.queue_delete(queue)
                self.channel.queue_delete(dead_queue(queue))
            self.channel.exchange_delete(self.exchange)
            self.channel.exchange_delete(dead_exchange(self.exchange))
        self._connection.close()
