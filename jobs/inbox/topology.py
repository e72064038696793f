"""Queues of the broker: one for each consuming service, and one for its dead letters.

A message that was delivered too often, or rejected, goes to the queue of the dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.outbox.broker import EXCHANGE as EXCHANGE

QUEUE = "q.progress_site"
DELIVERY_LIMIT = 20
QUORUM = {"x-queue-type": "quorum"}


def dead_queue(queue: str) -> str:
    """Return the name of the queue for the dead letters of another queue."""
    return f"{queue}.dead"


def dead_exchange(exchange: str) -> str:
    """Return the name of the exchange for dead letters."""
    return f"{exchange}.dead"


def declare_consumer(channel: Any, queue: str, types: Iterable[str], *, exchange: str = EXCHANGE) -> None:
    """Declare the exchange, a durable quorum queue bound to these types of events, and the queue of its dead letters.

    `types` are routing keys of a topic exchange: `*` stands for one word, `#` for any number of words. `channel` is
    a blocking channel of pika. Existing queues stay as they are; other arguments than before are an error.
    """
    dead_letters = dead_exchange(exchange)
    channel.exchange_declare(exchange, "topic", durable=True)
    channel.exchange_declare(dead_letters, "direct", durable=True)
    channel.queue_declare(dead_queue(queue), durable=True, arguments=QUORUM)
    channel.queue_bind(dead_queue(queue), dead_letters, routing_key=queue)
    channel.queue_declare(queue, durable=True, arguments=_arguments(queue, dead_letters=dead_letters))
    for name in types:
        channel.queue_bind(queue, exchange, routing_key=name)


def _arguments(queue: str, *, dead_letters: str) -> dict[str, Any]:
    """Return the arguments of the queue. At-least-once dead-lettering requires `reject-publish` on overflow."""
    return {
        **QUORUM,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead_letters,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
