"""What is due at an endpoint, and who works for it.

One deliverer at a time works for an endpoint: it holds the endpoint's row by name until a time, and takes the
endpoint over from one that died when that time has passed. So any number of deliverers share the endpoints, and
the order of a job's events at one endpoint needs to be kept in one place only.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Exists, Min, OuterRef, Q

from jobs.db import bulk_sql
from jobs.models import Delivery, Endpoint

HELD_FOR = timedelta(seconds=30)
# In the place of a deliverer's name: the endpoint asked for a pause, or could not be reached.
RESTING = "resting"


class Due(NamedTuple):
    """A delivery to be tried now."""

    id: int
    job_id: int
    event_id: int
    tries: int
    next_try_at: datetime


def endpoints_due(now: datetime) -> list[Endpoint]:
    """The active endpoints with a delivery to be tried now that nobody else works for."""
    due = Delivery.objects.due(now).filter(endpoint=OuterRef("pk"))
    free = Q(sender="") | Q(sender_until__lte=now)
    return list(Endpoint.objects.active().filter(free, Exists(due)).order_by("pk"))


def lease_endpoint(endpoint: Endpoint, *, sender: str, now: datetime) -> bool:
    """Work for this endpoint from now on, or go on doing so; False if it is another's or no longer active."""
    free = Q(sender__in=["", sender]) | Q(sender_until__lte=now)
    mine = Endpoint.objects.active().filter(free, pk=endpoint.pk)
    return mine.update(sender=sender, sender_until=now + HELD_FOR) == 1


def release_endpoint(endpoint: Endpoint, *, sender: str) -> None:
    """Leave the endpoint to whoever comes next."""
    Endpoint.objects.filter(pk=endpoint.pk, sender=sender).update(sender="", sender_until=None)


def rest(endpoint: Endpoint, *, sender: str, until: datetime) -> None:
    """Send nothing to the endpoint until then; this deliverer gives it up."""
    Endpoint.objects.filter(pk=endpoint.pk, sender=sender).update(sender=RESTING, sender_until=until)


def end_rest(endpoint_ids: Iterable[int]) -> None:
    """Send to these endpoints again at once: an operator has asked for it."""
    resting = Endpoint.objects.filter(pk__in=list(endpoint_ids), sender=RESTING)
    resting.update(sender="", sender_until=None)


def due_at(endpoint: Endpoint, *, now: datetime, limit: int) -> dict[int, list[Due]]:
    """Up to `limit` deliveries to be tried now: those of each job in the order of its events.

    What comes after an event of its job that still waits for a later try is not among them: it is put off until
    that try, so that a pass does not look at it again before.
    """
    found = Delivery.objects.due(now).filter(endpoint=endpoint).order_by("next_try_at", "event_id")
    batch = [Due(*row) for row in found.values_list("id", "job_id", "event_id", "tries", "next_try_at")[:limit]]
    before = _waiting_before(endpoint, batch)
    _put_off(batch, before)
    ready: dict[int, list[Due]] = {}
    for due in sorted(batch, key=lambda due: due.event_id):
        if due.job_id not in before or due.event_id < before[due.job_id].event_id:
            ready.setdefault(due.job_id, []).append(due)
    return ready


def _waiting_before(endpoint: Endpoint, batch: list[Due]) -> dict[int, Due]:
    """By job, the first delivery outside of this batch that waits; what follows it in the batch must wait too."""
    waiting = Delivery.objects.waiting().filter(endpoint=endpoint)
    others = waiting.filter(job__in={due.job_id for due in batch}).exclude(pk__in=[due.id for due in batch])
    first = [row["first"] for row in others.order_by().values("job").annotate(first=Min("event"))]
    last = max((due.event_id for due in batch), default=0)
    rows_ = waiting.filter(event__in=[event for event in first if event < last])
    return {
        due.job_id: due
        for due in (Due(*row) for row in rows_.values_list("id", "job_id", "event_id", "tries", "next_try_at"))
    }


def _put_off(batch: list[Due], before: dict[int, Due]) -> None:
    values = [
        (due.id, due.next_try_at, before[due.job_id].next_try_at)
        for due in batch
        if due.job_id in before
        and before[due.job_id].event_id < due.event_id
        and before[due.job_id].next_try_at > due.next_try_at
    ]
    bulk_sql.update(Delivery, values, match=("id", "next_try_at"), fields=("next_try_at",))
