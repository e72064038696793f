"""Heartbeats: signs of life between reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from jobs.change import Actor, Change, change_jobs
from jobs.db import bulk_sql
from jobs.models import Item, Job
from jobs.rules.statuses import Held
from jobs.tracking.types import Beat


def heartbeat(job: Job, *, worker: str, items: Sequence[int] | None = None, message: str = "", by: Actor) -> Beat:
    """Record a sign of life and renew the leases of the named items, or of all that this worker has in the job.

    A lease is renewed by its own length; an item without a lease gets none. Items that this worker does not hold are
    returned as lost. A plain heartbeat does not raise the revision.
    """
    with change_jobs([job.pk], by=by) as change:
        change.record_heartbeat(change.job)
        held = _held(change, worker, items)
        leases = _renew(held, now=change.now)
        change.record_worker(worker, job=change.job, message=message)
    found = {item.pk for item in held}
    return Beat(
        job_status=str(change.job.status),
        cancel_requested=change.job.held == Held.CANCELLED,
        leases=leases,
        lost=[pk for pk in items or () if pk not in found],
    )


def _held(change: Change, worker: str, items: Sequence[int] | None) -> list[Item]:
    holding = [phase.pk for phase in change.phases[change.job.pk] if phase.processing]
    account = change.by.account.pk if change.by.account else None
    held = Item.objects.held().by_worker(worker, account).within(holding)
    if items is not None:
        held = held.with_ids(items)
    return list(held.only("lease_seconds").order_by("pk"))


def _renew(held: Sequence[Item], *, now: datetime) -> list[tuple[int, datetime]]:
    leases = [(item.pk, now + timedelta(seconds=item.lease_seconds)) for item in held if item.lease_seconds is not None]
    if leases:
        bulk_sql.update(Item, leases, match=("id",), fields=("lease_expires_at",))
    return leases
