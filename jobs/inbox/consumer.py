"""The consumer of RabbitMQ: acknowledges a message after the commit, and reconnects after every interruption.

Several consumers may read one queue. A message that is not acknowledged, because a consumer died or the database is
unavailable, is delivered to another consumer. After too many deliveries it becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any

import pika
import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from pika.exceptions import AMQPError

from jobs.db.reachability import why_unreachable
from jobs.inbox.broker_messages import give_up, receive
from jobs.inbox.topology import DELIVERY_LIMIT, EXCHANGE, QUEUE, dead_queue, declare_consumer
from jobs.isolation import is_away, set_aside
from jobs.rules import pipelines

log = structlog.get_logger(__name__)

PREFETCH = 50
CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 60
LOOK_UP_SECONDS = 0.5
FAULT_SECONDS = 1.0
Settle = Callable[[Any, Any, Any, bytes], None]
AWAY = (OperationalError, InterfaceError)
# Pauses before a message is tried again while the database is unavailable; after them it returns to its queue.
RETRY_AFTER = (0.5, 1.0, 2.0, 4.0)
GIVEN_UP = {
    "delivery_limit": f"It was delivered {DELIVERY_LIMIT} times without being acknowledged.",
    "maxlen": "Its queue was full.",
    "expired": "It waited too long.",
}


class Unavailable(Exception):
    """The database is unavailable, so a valid message cannot be stored."""


FAILURES = (AMQPError, OSError, Unavailable)


@dataclass(slots=True)
class Consumer:
    """Consumer of the site's queue and of the queue of its dead letters, until `stop` is set."""

    url: str
    stop: Event
    exchange: str = EXCHANGE
    queue: str = QUEUE
    prefetch: int = PREFETCH

    def run(self, *, interval: float) -> None:
        """Consume messages; after an interruption, try again every `interval` seconds."""
        while not self.stop.is_set():
            try:
                with self._channel() as channel:
                    self._listen(channel)
            except Unavailable:
                log.error("database_unavailable", queue=self.queue, why=why_unreachable())
                self._wait_for_database(interval=interval)
            except (AMQPError, OSError) as error:
                log.warning("broker_unavailable", queue=self.queue, error=repr(error))
                self.stop.wait(interval)

    def drain(self) -> int:
        """Consume the waiting messages; return their number. Raise one of FAILURES if that is impossible."""
        with self._channel() as channel:
            return sum(self._empty(channel, queue, settle) for queue, settle in self._queues())

    # --- one connection --------------------------------------------------------------------------

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(_parameters(self.url))
        try:
            channel = connection.channel()
            declare_consumer(channel, self.queue, pipelines.inbound_types(), exchange=self.exchange)
            channel.basic_qos(prefetch_count=self.prefetch)
            yield channel
        finally:
            _close(connection)

    def _queues(self) -> list[tuple[str, Settle]]:
        return [(self.queue, self._settle), (dead_queue(self.queue), self._settle_dead)]

    def _listen(self, channel: Any) -> None:
        for queue, settle in self._queues():
            channel.basic_consume(queue, settle)
        log.info("consuming", queue=self.queue)
        while not self.stop.is_set():
            channel.connection.process_data_events(time_limit=LOOK_UP_SECONDS)

    def _empty(self, channel: Any, queue: str, settle: Settle) -> int:
        consumed = 0
        while not self.stop.is_set():
            method, properties, body = channel.basic_get(queue)
            if method is None:
                break
            settle(channel, method, properties, body)
            consumed += 1
        return consumed

    # --- one message -----------------------------------------------------------------------------

    def _settle(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._commit(channel, method, lambda: receive(body, type=method.routing_key))

    def _settle_dead(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        death = _death(properties)
        reason = GIVEN_UP.get(death.get("reason", ""), "The broker rejected it.")
        routing_key = next(iter(death.get("routing-keys", [])), "")
        self._commit(channel, method, lambda: give_up(body, type=routing_key, reason=reason))

    def _commit(self, channel: Any, method: Any, work: Callable[[], None]) -> None:
        """Process a message and acknowledge it; after an internal error it returns to its queue."""
        if self.stop.is_set():
            return
        try:
            self._process(channel, work)
        except Unavailable:
            raise
        except Exception as error:
            ids = {"type": method.routing_key, "delivery_tag": method.delivery_tag, "again": method.redelivered}
            set_aside(error, step="consume", **ids)
            self._pause(channel, FAULT_SECONDS)
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)

    def _process(self, channel: Any, work: Callable[[], None]) -> None:
        """Process a message, with a few retries while the database is unavailable."""
        for seconds in (*RETRY_AFTER, None):
            try:
                return work()
            except AWAY as error:
                close_old_connections()
                if seconds is None or self.stop.is_set():
                    if not is_away(error):
                        raise  # the database answers: it refuses this message alone
                    raise Unavailable from error
                self._pause(channel, seconds)
        return None

    def _pause(self, channel: Any, seconds: float) -> None:
        """Wait while answering the broker's heartbeats, at most until `stop` is set."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.stop.is_set():
            channel.connection.sleep(min(left, LOOK_UP_SECONDS))

    def _wait_for_database(self, *, interval: float) -> None:
        while not self.stop.wait(interval):
            close_old_connections()
            try:
                connection.ensure_connection()
            except AWAY:
                continue
            return


def _parameters(url: str) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = CONNECT_SECONDS
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.connection_attempts = 1
    return parameters


def _close(connection: Any) -> None:
    """Close the connection; unacknowledged messages return to their queue, whether or not the broker responds."""
    try:
        connection.close()
    except (AMQPError, OSError):
        log.debug("broker_gone")


def _death(properties: Any) -> dict[str, Any]:
    """Return the latest entry of the `x-death` header: the queue and the reason of the dead letter."""
    deaths = (properties.headers or {}).get("x-death") or [{}]
    return dict(deaths[0])
