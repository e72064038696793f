"""Outcomes of deliveries: sent, waiting for a retry, or dead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from jobs.db import bulk_sql
from jobs.db.deletion import PORTION
from jobs.incidents.deliveries import FAILING_TRIES, endpoint_fails, endpoint_recovers
from jobs.isolation import isolated
from jobs.models import Delivery, Endpoint
from jobs.models.outbox import DeliveryStatus, EndpointKind
from jobs.outbox.endpoint_leases import Due
from jobs.outbox.messages import Outcome
from jobs.rules.limits import ERROR_LENGTH

log = structlog.get_logger(__name__)

RETRY_AFTER = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
JITTER = 0.1
# A broker that cannot be reached has refused nothing: its messages are retried often and never given up.
BROKER_RETRY_AFTER = timedelta(seconds=30)
MATCH = ("id", "tries", "status")
FIELDS = ("status", "tries", "next_try_at", "error", "response_status", "sent_at")
# The limit for Retry-After, so that an endpoint that has recovered does not wait for a day.
LONGEST_RETRY_AFTER = timedelta(hours=1)
_chance = SystemRandom()


@dataclass(frozen=True, slots=True)
class Marked:
    """The result of a wave: the numbers of deliveries that were sent, will be retried or are dead.

    The later events of the jobs in `held_back` wait. `next_try_at` is the earliest retry.
    """

    counts: dict[str, int]
    held_back: set[int]
    next_try_at: datetime | None


def mark(endpoint: Endpoint, outcomes: Iterable[tuple[Due, Outcome]], *, now: datetime) -> Marked:
    """Store the outcomes of a wave in one statement.

    A delivery that was marked or replayed in the meantime is not changed.
    """
    pairs = list(outcomes)
    values = [
        (due.id, due.tries, DeliveryStatus.WAITING, *_after(endpoint, due, outcome, now=now)) for due, outcome in pairs
    ]
    gone = next((outcome for _, outcome in pairs if outcome.gone), None)
    with transaction.atomic():
        written = set(bulk_sql.update(Delivery, values, match=MATCH, fields=FIELDS))
        if gone:
            _disable(endpoint, gone)
        _judge(endpoint, pairs, values, now=now)
    counts = {"sent": 0, "retried": 0, "dead": 0}
    held_back, tries_at = set(), []
    for (due, _), value in zip(pairs, values, strict=True):
        status, next_try_at = value[len(MATCH)], value[len(MATCH) + 2]
        if due.id in written:
            counts[_name(status)] += 1
        if due.id not in written or status == DeliveryStatus.WAITING:
            held_back.add(due.job_id)
            tries_at.append(next_try_at)
    _log_failures(endpoint, [(due, outcome) for due, outcome in pairs if not outcome.sent])
    return Marked(counts, held_back, min(tries_at, default=None))


def _judge(
    endpoint: Endpoint, pairs: list[tuple[Due, Outcome]], values: list[tuple[Any, ...]], *, now: datetime
) -> None:
    """Open the incident of an endpoint that keeps failing, or end it; a first success or failure costs no statement."""
    for (due, outcome), value in zip(pairs, values, strict=True):
        dead = value[len(MATCH)] == DeliveryStatus.DEAD
        if not outcome.sent and (dead or due.tries + 1 >= FAILING_TRIES):
            endpoint_fails(endpoint, outcome.error, now=now)
            return
    if any(outcome.sent and due.tries >= FAILING_TRIES for due, outcome in pairs):
        endpoint_recovers(endpoint, now=now)


def wait_after(failures: int) -> timedelta | None:
    """Return the pause after this many failures in a row, with a tenth of jitter; None where no retry is left."""
    if failures > len(RETRY_AFTER):
        return None
    return timedelta(seconds=RETRY_AFTER[failures - 1] * _chance.uniform(1 - JITTER, 1 + JITTER))


def mark_disabled_dead() -> int:
    """Mark the waiting deliveries of disabled endpoints as dead; return their number."""
    waiting = Delivery.objects.waiting().filter(endpoint=OuterRef("pk"))
    disabled = Endpoint.objects.filter(Exists(waiting), active=False)
    marked = 0
    for endpoint in disabled:
        with isolated("deliver.disabled", endpoint_id=endpoint.pk):
            marked += _mark_dead(endpoint)
    return marked


def _mark_dead(endpoint: Endpoint) -> int:
    """Mark them in portions, so that other writers wait for one portion at most."""
    error = f"The endpoint is disabled. {endpoint.disabled_reason}".strip()[:ERROR_LENGTH]
    waiting = Delivery.objects.waiting().filter(endpoint=endpoint)
    marked = 0
    while ids := list(waiting.order_by("next_try_at", "event_id").values_list("pk", flat=True)[:PORTION]):
        marked += waiting.filter(pk__in=ids).update(status=DeliveryStatus.DEAD, error=error)
    return marked


def _after(endpoint: Endpoint, due: Due, outcome: Outcome, *, now: datetime) -> tuple[Any, ...]:
    """Return the new values of FIELDS."""
    if outcome.sent:
        return (DeliveryStatus.SENT, due.tries, due.next_try_at, "", outcome.status, now)
    wait = _wait(endpoint, due, outcome)
    status = DeliveryStatus.DEAD if wait is None else DeliveryStatus.WAITING
    next_try_at = due.next_try_at if wait is None else now + wait
    return (status, due.tries + 1, next_try_at, outcome.error[:ERROR_LENGTH], outcome.status, None)


def _wait(endpoint: Endpoint, due: Due, outcome: Outcome) -> timedelta | None:
    if outcome.gone or outcome.final:
        return None
    wait = wait_after(due.tries + 1)
    if endpoint.kind == EndpointKind.BROKER and not outcome.answered:
        return min(wait or BROKER_RETRY_AFTER, BROKER_RETRY_AFTER)
    return wait and max(wait, pause_of(outcome))


def pause_of(outcome: Outcome) -> timedelta:
    """Return the pause that the endpoint asked for, within bounds."""
    return min(outcome.retry_after or timedelta(0), LONGEST_RETRY_AFTER)


def _disable(endpoint: Endpoint, outcome: Outcome) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(active=False, disabled_reason=outcome.error[:ERROR_LENGTH])
    log.warning("endpoint_disabled", endpoint_id=endpoint.pk, reason=outcome.error)


def _name(status: object) -> str:
    return "retried" if status == DeliveryStatus.WAITING else str(status)


def _log_failures(endpoint: Endpoint, failed: list[tuple[Due, Outcome]]) -> None:
    """Log one line per wave, with the ids and the error of the first failure."""
    if failed:
        due, outcome = failed[0]
        fields = {"endpoint_id": endpoint.pk, "delivery_id": due.id, "job_id": due.job_id, "tries": due.tries + 1}
        log.warning("deliveries_failed", **fields, number=len(failed), error=outcome.error)
