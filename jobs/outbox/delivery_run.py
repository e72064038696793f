"""A delivery run: the deliveries of one endpoint, sent in waves.

A wave holds at most one event of each job. The next event of a job is sent only after the endpoint has accepted the
one before it, or refused it for good. When one fails, the later ones of its job at this endpoint wait; those of
other jobs continue. An endpoint that asks for a pause, or cannot be reached, gets no deliveries for a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice, repeat
from threading import Event as Flag
from time import monotonic
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs.isolation import set_aside
from jobs.models import Endpoint, sender_leases
from jobs.models.outbox import EndpointKind
from jobs.outbox import endpoint_leases, results
from jobs.outbox.endpoint_leases import Due
from jobs.outbox.messages import Message, Outcome, Sender, failed, message_of, messages_of
from jobs.outbox.webhooks import WebhookSender

BATCH = 1000
HOLD_AGAIN = 5.0
# An endpoint that was not reached is left alone until the first retry, and never longer than this.
UNREACHABLE_PAUSE = timedelta(seconds=30)
NO_PAUSE = timedelta(0)
BROKER_SENDER = "jobs.outbox.broker.BrokerSender"

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


class NoSender:
    """Sender for an endpoint that this installation cannot reach; every outcome says why."""

    width = BATCH

    def __init__(self, why: str) -> None:
        self._outcome = Outcome(why, answered=False)

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """Return the same outcome for each message."""
        return [self._outcome] * len(messages)

    def close(self) -> None:
        """Do nothing: no connection is open."""


class Lane:
    """The deliveries of one endpoint, while this deliverer has its lease.

    `next_wave` and `take` use the database, `send` waits for the endpoint, so they may run in different threads.
    """

    def __init__(
        self, endpoint: Endpoint, *, clock: Clock = timezone.now, stop: Flag | None = None, limit: int | None = None
    ) -> None:
        self.endpoint = endpoint
        self._clock = clock
        self._stop = stop or Flag()
        self._left = limit
        self._name = uuid4().hex
        self._held_at = 0.0
        self._sender: Sender | None = None
        self._ready: dict[int, list[Due]] = {}
        self._messages: dict[int, Message] = {}
        self._wave: list[Due] = []
        self._over = False

    def run(self) -> dict[str, int]:
        """Send the due deliveries in waves; return how many were sent, will be retried, are dead."""
        counts: Counter[str] = Counter()
        try:
            while messages := self.next_wave():
                counts.update(self.take(self.send(messages)))
        finally:
            self.close()
            self.let_go()
        return dict(counts)

    def next_wave(self) -> list[Message]:
        """Return at most one event of each job to send now; none when the lane is over."""
        if self._over or not self._hold():
            return []
        self._sender = self._sender or sender_for(self.endpoint)
        if not self._ready:
            self._load()
        self._wave = [queue.pop(0) for queue in islice(self._ready.values(), self._sender.width)]
        return [self._messages[due.event_id] for due in self._wave]

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send a wave and wait for its outcomes, without using the database.

        A message that cannot be encoded is refused for good; the other events of its job are sent.
        """
        assert self._sender
        sound = [message for message in messages if message.defect is None]
        try:
            sent = iter(self._sender.send(self.endpoint, sound) if sound else ())
        except Exception as error:
            sent = repeat(failed(error))
        return [failed(message.defect, final=True) if message.defect else next(sent) for message in messages]

    def take(self, outcomes: Sequence[Outcome]) -> dict[str, int]:
        """Store the outcomes of a wave; return how many deliveries were sent, will be retried, are dead."""
        now = self._clock()
        marked = results.mark(self.endpoint, zip(self._wave, outcomes, strict=True), now=now)
        for due, outcome in zip(self._wave, outcomes, strict=True):
            if outcome.defect:
                ids = {"endpoint_id": self.endpoint.pk, "delivery_id": due.id, "job_id": due.job_id}
                set_aside(outcome.defect, step="deliver.message", **ids)
        self._ready = {job: queue for job, queue in self._ready.items() if queue and job not in marked.held_back}
        self._over = any(outcome.gone for outcome in outcomes)
        pause = max((results.pause_of(outcome) for outcome in outcomes if not outcome.sent), default=NO_PAUSE)
        if not pause and not any(outcome.answered for outcome in outcomes):
            pause = min((marked.next_try_at or now) - now, UNREACHABLE_PAUSE)
        if pause > NO_PAUSE:
            sender_leases.rest(self.endpoint, sender=self._name, until=now + pause)
            self._over = True
        return marked.counts

    def close(self) -> None:
        """Close the connections to the endpoint, without using the database."""
        if self._sender:
            self._sender.close()

    def let_go(self) -> None:
        """Release the lease of the endpoint."""
        sender_leases.release(self.endpoint, sender=self._name)

    def _load(self) -> None:
        limit = BATCH if self._left is None else min(BATCH, self._left)
        self._ready = endpoint_leases.due_at(self.endpoint, now=self._clock(), limit=limit) if limit else {}
        queues = self._ready.values()
        self._messages = messages_of((due.event_id for queue in queues for due in queue), format=self.endpoint.format)
        if self._left is not None:
            self._left -= sum(map(len, queues))

    def _hold(self) -> bool:
        """Renew the lease of the endpoint where needed; return False without a lease, or when asked to stop."""
        if self._stop.is_set():
            return False
        age = monotonic() - self._held_at
        if not self._held_at or age > HOLD_AGAIN:
            if age > endpoint_leases.HELD_FOR.total_seconds():
                self._ready = {}  # Another deliverer may have sent these meanwhile.
            now, length = self._clock(), endpoint_leases.HELD_FOR
            held = sender_leases.lease(self.endpoint, sender=self._name, now=now, length=length)
            self._held_at = monotonic() if held else 0.0
        return bool(self._held_at)


def sender_for(endpoint: Endpoint) -> Sender:
    """Return the sender for this kind of endpoint."""
    if endpoint.kind == EndpointKind.WEBHOOK:
        return WebhookSender()
    if not settings.AMQP_URL:
        return NoSender("AMQP_URL is not set.")
    try:
        made: Sender = import_string(BROKER_SENDER)()
    except ImportError:
        return NoSender("The package pika is not installed; requirements-scale.txt names it.")
    return made


def declare_exchange() -> None:
    """Declare the exchange of the broker, so that services bind their queues before the first event.

    A broker that is away is logged; the first delivery to it declares the exchange too.
    """
    try:
        sender = import_string(BROKER_SENDER)() if settings.AMQP_URL else None
    except ImportError:
        return
    if sender is not None:
        error = sender.declare()
        sender.close()
        if error:
            log.warning("exchange_not_declared", error=error)


def lanes_due(*, now: datetime | None = None, stop: Flag | None = None, limit: int | None = None) -> dict[int, Lane]:
    """Return a lane for each endpoint, by its id, with due deliveries and no deliverer.

    Deliveries to disabled endpoints are marked as dead.
    """
    results.mark_disabled_dead()
    due = endpoint_leases.endpoints_due(now or timezone.now())
    return {endpoint.pk: Lane(endpoint, clock=_clock(now), stop=stop, limit=limit) for endpoint in due}


def try_out(endpoint: Endpoint, *, now: datetime | None = None) -> Outcome:
    """Send a message of the type `endpoint.test` at once. It is not an event and is not stored."""
    body = {"event_id": str(uuid4()), "type": "endpoint.test", "occurred_at": now or timezone.now(), "data": {}}
    message = message_of(body, format=endpoint.format)
    sender = sender_for(endpoint)
    release_connection()
    try:
        [outcome] = sender.send(endpoint, [message])
    finally:
        sender.close()
    return outcome


def release_connection() -> None:
    """Close the database connection before waiting for an endpoint, unless a transaction needs it."""
    if not connection.in_atomic_block:
        close_old_connections()


def _clock(now: datetime | None) -> Clock:
    return timezone.now if now is None else lambda: now
