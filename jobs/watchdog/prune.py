"""Maintenance: recounting of counters from items, and deletion of old rows."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.change import COUNTERS, Actor, Change, change_jobs
from jobs.db.deletion import delete
from jobs.isolation import isolated
from jobs.models import (
    BulkAct,
    Delivery,
    Event,
    InboxMessage,
    Incident,
    Item,
    Job,
    Notification,
    Phase,
    Worker,
    WorkerTally,
)
from jobs.models.bulk import BulkStatus
from jobs.models.notifications import MessageStatus
from jobs.models.workers import held_items
from jobs.rules.errors import NotFound
from jobs.rules.statuses import JobStatus
from jobs.watchdog.removal import removed_jobs

RECOUNT = Actor(name="recount")
KEEP_BULK_ACTS = timedelta(days=90)
KEEP_WORKERS, KEEP_TALLIES = timedelta(days=30), timedelta(days=7)
NEVER = datetime(1, 1, 2, tzinfo=UTC)
COUNTER_FIELDS = ("items_total", *COUNTERS.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that does not equal the items: the stored number and the number of items."""

    job: str
    phase: str
    counter: str
    stored: int
    items: int


def recount(*, repair: bool = False) -> list[Difference]:
    """Compare the counters of every phase with its items; with `repair`, correct the counters."""
    differences: list[Difference] = []
    check = _repair if repair else _compare
    for job_id in list(Job.objects.order_by("pk").values_list("pk", flat=True)):
        with suppress(NotFound):
            differences += check(job_id)
    return differences


def _compare(job_id: int) -> list[Difference]:
    """Return the differences of one job without writing; a suspected one is confirmed under the job's lock."""
    if not _seems_different(job_id):
        return []
    with transaction.atomic():
        change = Change(by=RECOUNT)
        change.lock([job_id])
        return _differences(change.phases.get(job_id, []))


def _seems_different(job_id: int) -> bool:
    """Compare without a lock: a report meanwhile may look like a difference."""
    return bool(_differences(list(Phase.objects.select_related("job").filter(job=job_id))))


def _repair(job_id: int) -> list[Difference]:
    if not _seems_different(job_id):
        return []
    with change_jobs([job_id], by=RECOUNT) as change:
        differences = _differences(change.phases[job_id])
        for found in differences:
            setattr(change.phase_by_code(found.phase), found.counter, found.items)
        if differences:
            change.record(
                change.job, "recount.repaired", detail=f"{len(differences)} counters did not equal the items."
            )
    return differences


def _differences(phases: list[Phase]) -> list[Difference]:
    counting_items = [phase for phase in phases if not phase.counted]
    truth = _counts_of_items(counting_items)
    return [
        Difference(phase.job.name, phase.code, name, getattr(phase, name), truth[phase.pk][name])
        for phase in counting_items
        for name in COUNTER_FIELDS
        if getattr(phase, name) != truth[phase.pk][name]
    ]


def _counts_of_items(phases: list[Phase]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTER_FIELDS, 0))
    grouped = Item.objects.filter(phase__in=phases).order_by().values_list("phase", "status").annotate(n=Count("pk"))
    for phase_id, status, number in grouped:
        counts[phase_id]["items_total"] += number
        if status in COUNTERS:
            counts[phase_id][COUNTERS[status]] += number
    return counts


@dataclass(frozen=True, slots=True)
class Pruned:
    """The number of rows that were deleted, or would be, and of old rows that are kept."""

    jobs: int
    events: int
    bulk_acts: int
    letters: int
    workers: int
    undelivered_events: int
    undelivered_jobs: int


def prune(*, dry_run: bool = False, now: datetime | None = None) -> Pruned:
    """Delete old rows.

    Jobs, timeline rows and dead letters go after the days of the settings RETENTION_*; 0 keeps them. Bulk acts go after
    90 days, workers after 30 without a sign of life if they hold nothing, and their tallies after 7. Messages to people
    and ended incidents go with the timeline.

    A job with undelivered events is kept; a dead delivery keeps it as long as the timeline is kept. Rows
    are deleted in portions, so that other writers wait for one portion at most. After an interruption the next call
    continues.
    """
    at = now or timezone.now()
    remove = QuerySet.count if dry_run else delete
    undelivered = Delivery.objects.undelivered().filter(job__in=_old_jobs(at))
    kept = undelivered.aggregate(events=Count("event", distinct=True), jobs=Count("job", distinct=True))
    found = Pruned(
        jobs=removed_jobs().count() + _prunable_jobs(at).count() if dry_run else _delete_jobs(at),
        events=remove(_old_events(at)),
        bulk_acts=remove(_old_bulk_acts(at)),
        letters=remove(_old_letters(at)),
        workers=remove(_old_workers(at)),
        undelivered_events=kept["events"],
        undelivered_jobs=kept["jobs"],
    )
    if not dry_run:
        delete(WorkerTally.objects.filter(slot__lt=at - KEEP_TALLIES))
        delete(Incident.objects.filter(ended_at__lt=_before(at, settings.RETENTION_TIMELINE_DAYS)))
        delete(Session.objects.filter(expire_date__lt=at))
        delete(_old_messages(at))
    return found


def _old_events(at: datetime) -> QuerySet[Event]:
    """Return old timeline rows of jobs that are kept, except undelivered ones."""
    waiting = Delivery.objects.waiting().filter(event=OuterRef("pk"))
    before = _before(at, settings.RETENTION_TIMELINE_DAYS)
    old = Event.objects.filter(~Exists(waiting), at__lt=before, job__removed_at__isnull=True)
    return old.exclude(job__in=_prunable_jobs(at))


def _old_bulk_acts(at: datetime) -> QuerySet[BulkAct]:
    """Return old bulk acts, but none that still moves the items of a phase."""
    return BulkAct.objects.filter(created_at__lt=at - KEEP_BULK_ACTS).exclude(
        status=BulkStatus.RUNNING, targets__planned__gt=0
    )


def _old_letters(at: datetime) -> QuerySet[InboxMessage]:
    letters = InboxMessage.objects.letters().filter(received_at__lt=_before(at, settings.RETENTION_TIMELINE_DAYS))
    return letters.exclude(phase__job__in=_prunable_jobs(at))


def _old_messages(at: datetime) -> QuerySet[Notification]:
    before = _before(at, settings.RETENTION_TIMELINE_DAYS)
    return Notification.objects.filter(created_at__lt=before).exclude(status=MessageStatus.WAITING)


def _old_workers(at: datetime) -> QuerySet[Worker]:
    held = held_items().filter(phase__job__removed_at__isnull=True).exclude(phase__job__in=_prunable_jobs(at))
    return Worker.objects.filter(~Exists(held), seen_at__lt=at - KEEP_WORKERS)


def _old_jobs(at: datetime) -> QuerySet[Job]:
    retention = {
        JobStatus.COMPLETED: settings.RETENTION_COMPLETED_DAYS,
        JobStatus.FAILED: settings.RETENTION_FAILED_DAYS,
        JobStatus.CANCELLED: settings.RETENTION_CANCELLED_DAYS,
    }
    old = [Q(status=status, finished_at__lt=_before(at, days)) for status, days in retention.items()]
    return Job.objects.filter(reduce(or_, old))


def _before(at: datetime, days: int) -> datetime:
    """Return the time before which rows are old; with 0 days, none is."""
    return at - timedelta(days=days) if days else NEVER


def _prunable_jobs(at: datetime) -> QuerySet[Job]:
    return _old_jobs(at).filter(~Exists(Delivery.objects.undelivered().filter(job=OuterRef("pk"))))


def _delete_jobs(at: datetime) -> int:
    """Delete the jobs one after the other, each with all its rows."""
    deleted = 0
    begun = set(removed_jobs().values_list("pk", flat=True))
    for job_id in [*sorted(begun), *_prunable_jobs(at).order_by("pk").values_list("pk", flat=True)]:
        with isolated("prune.job", job_id=job_id):
            if job_id in begun or _mark_removed(job_id, at=at):
                deleted += delete(removed_jobs().filter(pk=job_id))
    return deleted


def _mark_removed(job_id: int, *, at: datetime) -> bool:
    """Mark a job as removed, unless it was reopened in the meantime. Acts and reports no longer find it."""
    with transaction.atomic():
        locked = Job.objects.select_for_update(no_key=True).filter(pk=job_id)
        return bool(locked) and _prunable_jobs(at).filter(pk=job_id).update(removed_at=at) == 1
