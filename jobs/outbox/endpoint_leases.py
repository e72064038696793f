"""Endpoints without a deliverer, and the deliveries that are due.

One deliverer at a time works for an endpoint (`jobs.models.sender_leases`). So any number of deliverers share the
endpoints, and the order of a job's events at one endpoint is kept in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Exists, Min, OuterRef

from jobs.db import bulk_sql
from jobs.models import Delivery, Endpoint, sender_leases

HELD_FOR = timedelta(seconds=30)


class Due(NamedTuple):
    """A delivery to be tried now."""

    id: int
    job_id: int
    event_id: int
    tries: int
    next_try_at: datetime


def endpoints_due(now: datetime) -> list[Endpoint]:
    """Return the active endpoints with due deliveries and without a deliverer."""
    due = Delivery.objects.due(now).filter(endpoint=OuterRef("pk"))
    return list(Endpoint.objects.active().filter(sender_leases.free(now), Exists(due)).order_by("pk"))


def end_rest(endpoint_ids: Iterable[int]) -> None:
    """Send to these endpoints again at once, as an operator has requested."""
    resting = Endpoint.objects.filter(pk__in=list(endpoint_ids), sender=sender_leases.RESTING)
    resting.update(sender="", sender_until=None)


def due_at(endpoint: Endpoint, *, now: datetime, limit: int) -> dict[int, list[Due]]:
    """Return up to `limit` due deliveries: by job, in the order of its events.

    A delivery behind an earlier event of its job that waits for a retry is left out. It is postponed to that retry,
    so that no pass reads it before.
    """
    found = Delivery.objects.due(now).filter(endpoint=endpoint).order_by("next_try_at", "event_id")
    batch = [Due(*row) for row in found.values_list("id", "job_id", "event_id", "tries", "next_try_at")[:limit]]
    before = _waiting_before(endpoint, batch)
    _postpone(batch, before)
    ready: dict[int, list[Due]] = {}
    for due in sorted(batch, key=lambda due: due.event_id):
        if due.job_id not in before or due.event_id < before[due.job_id].event_id:
            ready.setdefault(due.job_id, []).append(due)
    return ready


def _waiting_before(endpoint: Endpoint, batch: list[Due]) -> dict[int, Due]:
    """Return by job the first waiting delivery outside of this batch; later ones in the batch must wait too."""
    waiting = Delivery.objects.waiting().filter(endpoint=endpoint)
    others = waiting.filter(job__in={due.job_id for due in batch}).exclude(pk__in=[due.id for due in batch])
    first = [row["first"] for row in others.order_by().values("job").annotate(first=Min("event"))]
    last = max((due.event_id for due in batch), default=0)
    first_waiting = waiting.filter(event__in=[event for event in first if event < last])
    return {
        due.job_id: due
        for due in (Due(*row) for row in first_waiting.values_list("id", "job_id", "event_id", "tries", "next_try_at"))
    }


def _postpone(batch: list[Due], before: dict[int, Due]) -> None:
    values = [
        (due.id, due.next_try_at, before[due.job_id].next_try_at)
        for due in batch
        if due.job_id in before
        and before[due.job_id].event_id < due.event_id
        and before[due.job_id].next_try_at > due.next_try_at
    ]
    bulk_sql.update(Delivery, values, match=("id", "next_try_at"), fields=("next_try_at",))
