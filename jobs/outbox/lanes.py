"""One endpoint's deliveries, sent wave by wave.

A wave holds at most one event of each job: the next one of a job leaves only after the endpoint has taken the one
before it. When one fails, the later ones of its job at this endpoint wait; those of other jobs go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from threading import Event as Flag
from uuid import uuid4

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs.models import Endpoint
from jobs.models.outbox import EndpointKind
from jobs.outbox import claiming, marking
from jobs.outbox.claiming import Due
from jobs.outbox.messages import Message, Outcome, Sender, messages_of
from jobs.outbox.webhooks import WebhookSender
from jobs.serializers import encode

BATCH = 1000
HOLD_AGAIN = timedelta(seconds=5)
BROKER_SENDER = "jobs.outbox.broker.BrokerSender"

Clock = Callable[[], datetime]


class NoSender:
    """Stands in where an endpoint cannot be reached from this installation, and says why."""

    width = BATCH

    def __init__(self, why: str) -> None:
        self._outcome = Outcome(why, answered=False)

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """The same answer for each."""
        return [self._outcome] * len(messages)

    def close(self) -> None:
        """Nothing is open."""


class Lane:
    """The deliveries of one endpoint, for as long as this deliverer works for it."""

    def __init__(self, endpoint: Endpoint, *, clock: Clock = timezone.now, stop: Flag | None = None) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._stop = stop or Flag()
        self._name = uuid4().hex
        self._held_at: datetime | None = None
        self._counts: Counter[str] = Counter()

    def run(self, *, limit: int = BATCH) -> dict[str, int]:
        """Send what is due, at most `limit` deliveries; how many were sent, will be retried, are dead."""
        if self._hold():
            sender = sender_for(self._endpoint)
            try:
                self._drain(sender, limit=limit)
            finally:
                sender.close()
                claiming.let_go(self._endpoint, sender=self._name)
        return dict(self._counts)

    def _drain(self, sender: Sender, *, limit: int) -> None:
        while limit > 0 and self._hold():
            ready = claiming.due_at(self._endpoint, now=self._clock(), limit=min(limit, BATCH))
            limit -= sum(map(len, ready.values()))
            if not ready or not self._send_batch(sender, ready):
                return

    def _send_batch(self, sender: Sender, ready: dict[int, list[Due]]) -> bool:
        """Send a batch in waves; False when there is no use in going on at once."""
        messages = messages_of(due.event_id for queue in ready.values() for due in queue)
        while ready and self._hold():
            wave = [queue.pop(0) for queue in islice(ready.values(), sender.width)]
            outcomes = sender.send(self._endpoint, [messages[due.event_id] for due in wave])
            told = list(zip(wave, outcomes, strict=True))
            self._counts.update(marking.mark(self._endpoint, told, now=self._clock()))
            if any(outcome.gone for outcome in outcomes) or not any(outcome.answered for outcome in outcomes):
                return False
            held_back = {due.job_id for due, outcome in told if not outcome.sent}
            ready = {job: queue for job, queue in ready.items() if queue and job not in held_back}
        return not ready

    def _hold(self) -> bool:
        """Still, or again, the one that works for this endpoint, and not asked to stop?"""
        now = timezone.now()
        if self._stop.is_set():
            return False
        if self._held_at is None or now - self._held_at > HOLD_AGAIN:
            held = claiming.hold(self._endpoint, sender=self._name, now=now)
            self._held_at = now if held else None
        return self._held_at is not None


def sender_for(endpoint: Endpoint) -> Sender:
    """How this endpoint is reached."""
    if endpoint.kind == EndpointKind.WEBHOOK:
        return WebhookSender()
    if not settings.AMQP_URL:
        return NoSender("AMQP_URL is not given.")
    try:
        made: Sender = import_string(BROKER_SENDER)()
    except ImportError:
        return NoSender("The package pika is not installed; requirements-scale.txt names it.")
    return made


def lanes_due(*, now: datetime | None = None, stop: Flag | None = None) -> dict[int, Lane]:
    """A lane for each endpoint, by its id, with something due that nobody works for; buries what cannot leave."""
    marking.bury_disabled()
    due = claiming.endpoints_due(now or timezone.now())
    return {endpoint.pk: Lane(endpoint, clock=_clock(now), stop=stop) for endpoint in due}


def deliver(now: datetime | None = None, *, limit: int = BATCH) -> dict[str, int]:
    """One pass over every endpoint, one after the other; how many were sent, will be retried, are dead.

    At most `limit` deliveries are tried at each endpoint. `now` stands for the time in the place of the clock.
    """
    counts = Counter({"sent": 0, "retried": 0, "dead": 0})
    for lane in lanes_due(now=now).values():
        counts.update(lane.run(limit=limit))
    return dict(counts)


def try_out(endpoint: Endpoint, *, now: datetime | None = None) -> Outcome:
    """Send a message of the type `endpoint.test` at once, which is no event and leaves nothing behind."""
    body = {"event_id": str(uuid4()), "type": "endpoint.test", "occurred_at": now or timezone.now(), "data": {}}
    message = Message(event_id=str(body["event_id"]), type="endpoint.test", body=encode(body))
    sender = sender_for(endpoint)
    try:
        [outcome] = sender.send(endpoint, [message])
    finally:
        sender.close()
    return outcome


def _clock(now: datetime | None) -> Clock:
    return timezone.now if now is None else lambda: now
