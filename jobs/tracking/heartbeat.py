"""Heartbeats: signs of life between reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.change import Actor, Change, change_jobs
from jobs.db import bulk_sql
from jobs.models import Item, Job, Worker
from jobs.rules.statuses import Held
from jobs.tracking.types import Beat

HELD_FIELDS = ("pk", "phase_id", "worker", "account_id", "lease_seconds")
Lease = tuple[int, int | None]  # the id of an item, and the length of its lease in seconds


def heartbeat(
    job: Job,
    *,
    worker: str,
    items: Sequence[int] | None = None,
    message: str = "",
    progress: int | None = None,
    by: Actor,
) -> Beat:
    """Record a sign of life and renew the leases of the named items, or of all that this worker has in the job.

    A lease is renewed by its own length; an item without a lease gets none. Items that this worker does not hold are
    returned as lost. A `message` or a `progress` (percent) other than the last one of this worker is progress of the
    job, so that it is not stalled during a long item. A heartbeat does not raise the revision.
    """
    with change_jobs([job.pk], by=by) as change:
        sign = SignOfLife(change.job, worker, items, message, progress, by)
        return heartbeats_locked(change, [sign])[0]


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """A heartbeat to a locked job."""

    job: Job
    worker: str
    items: Sequence[int] | None
    message: str
    progress: int | None
    by: Actor

    @property
    def account(self) -> int | None:
        """The account of the worker."""
        return self.by.account.pk if self.by.account else None


def heartbeats_locked(change: Change, signs: Sequence[SignOfLife]) -> list[Beat]:
    """Record heartbeats inside a change that has locked their jobs; a constant number of statements for any number."""
    held = _held(change, signs)
    renewed = [
        [(pk, change.now + timedelta(seconds=seconds)) for pk, seconds in held[id(sign)] if seconds is not None]
        for sign in signs
    ]
    leases = dict(lease for own in renewed for lease in own)
    bulk_sql.update(Item, sorted(leases.items()), match=("id",), fields=("lease_expires_at",))
    _record_progress(change, signs)
    for sign in signs:
        change.record_heartbeat(sign.job)
        change.record_worker(sign.worker, job=sign.job, message=sign.message, progress=sign.progress, by=sign.by)
    return [_beat(sign, held[id(sign)], own) for sign, own in zip(signs, renewed, strict=True)]


def _record_progress(change: Change, signs: Sequence[SignOfLife]) -> None:
    """Record progress of the jobs whose workers say something else than before; one query if any says anything."""
    telling = [sign for sign in signs if sign.message or sign.progress is not None]
    if not telling:
        return
    rows = Worker.objects.filter(name__in={sign.worker for sign in telling}).values_list(
        "name", "owner", "project", "message", "progress"
    )
    last = {(name, owner, project): (message, progress) for name, owner, project, message, progress in rows}
    for sign in telling:
        key = sign.worker, sign.account or 0, sign.job.project
        message, progress = last.get(key, ("", None))
        said = sign.message or message, progress if sign.progress is None else sign.progress
        if said != (message, progress):
            sign.job.progress_at, last[key] = change.now, said


def _beat(sign: SignOfLife, held: Sequence[Lease], leases: list[tuple[int, datetime]]) -> Beat:
    found = {pk for pk, _ in held}
    return Beat(
        job_status=str(sign.job.status),
        cancel_requested=sign.job.held == Held.CANCELLED,
        leases=leases,
        lost=[pk for pk in sign.items or () if pk not in found],
    )


def _held(change: Change, signs: Sequence[SignOfLife]) -> dict[int, list[Lease]]:
    """Return the items that each worker holds in its job, of those that it names if it names any."""
    held: dict[int, list[Lease]] = {}
    for naming in (False, True):
        group = [sign for sign in signs if (sign.items is not None) is naming]
        held |= {id(sign): [] for sign in group}
        jobs = {phase.pk: phase.job_id for sign in group for phase in change.phases[sign.job.pk] if phase.processing}
        if not jobs:
            continue
        items = Item.objects.held().filter(worker__in={sign.worker for sign in group}).within(jobs)
        if naming:
            items = items.with_ids({pk for sign in group for pk in sign.items or ()})
        leases: dict[tuple[int, str, int | None], list[Lease]] = defaultdict(list)
        for pk, phase, worker, account, seconds in items.order_by("pk").values_list(*HELD_FIELDS):
            leases[jobs[phase], worker, account].append((pk, seconds))
        for sign in group:
            own, named = leases[sign.job.pk, sign.worker, sign.account], set(sign.items or ())
            held[id(sign)] = [lease for lease in own if not naming or lease[0] in named]
    return held
