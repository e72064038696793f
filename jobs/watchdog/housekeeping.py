"""Keeping the books: counters against items, and forgetting what is old."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.change import COUNTERS, Actor, Change, change
from jobs.errors import NotFound
from jobs.models import BulkAct, Event, InboxMessage, Item, Job, Phase, Worker, WorkerTally
from jobs.statuses import JobStatus

RECOUNT = Actor(name="recount")
KEEP_COMPLETED = timedelta(days=30)
KEEP_FAILED = timedelta(days=90)
KEEP_BULK_ACTS = timedelta(days=90)
KEEP_WORKERS, KEEP_TALLIES = timedelta(days=30), timedelta(days=7)
KEEP_TIMELINE = timedelta(days=365)
COUNTER_FIELDS = ("items_total", *COUNTERS.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that does not equal the items: what the phase says and what its items say."""

    job: str
    phase: str
    counter: str
    stored: int
    items: int


def recount(*, repair: bool = False) -> list[Difference]:
    """Compare the counters of every phase with its items; with `repair`, make them equal."""
    differences: list[Difference] = []
    act = _repair if repair else _compare
    for job_id in list(Job.objects.order_by("pk").values_list("pk", flat=True)):
        with suppress(NotFound):
            differences += act(job_id)
    return differences


def _compare(job_id: int) -> list[Difference]:
    """What differs in one job, under its lock; nothing is written."""
    with transaction.atomic():
        c = Change(by=RECOUNT)
        c.lock([job_id])
        return _differences(c.phases.get(job_id, []))


def _repair(job_id: int) -> list[Difference]:
    with change([job_id], by=RECOUNT) as c:
        differences = _differences(c.phases[job_id])
        for found in differences:
            setattr(c.phase_by_code(found.phase), found.counter, found.items)
        if differences:
            c.record(c.job, "recount.repaired", detail=f"{len(differences)} counters did not equal the items.")
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


def prune(*, dry_run: bool = False, now: datetime | None = None) -> dict[str, int]:
    """Delete completed jobs after 30 days, others and bulk acts after 90, timeline rows and dead letters after 365;
    workers that were not heard for 30 days and hold nothing, and what each settled in five minutes after 7.
    """
    at = now or timezone.now()
    events, workers = Event.objects.filter(at__lt=at - KEEP_TIMELINE), _old_workers(at)
    acts = BulkAct.objects.filter(created_at__lt=at - KEEP_BULK_ACTS)
    letters = InboxMessage.objects.letters().filter(received_at__lt=at - KEEP_TIMELINE)
    if dry_run:
        found = {"events": events, "bulk_acts": acts, "letters": letters, "workers": workers}
        return {"jobs": _old_jobs(at).count(), **{name: rows.count() for name, rows in found.items()}}
    deleted = sum(_delete(job_id, at=at) for job_id in list(_old_jobs(at).values_list("pk", flat=True)))
    WorkerTally.objects.filter(slot__lt=at - KEEP_TALLIES).delete()
    gone = acts.delete()[1].get(BulkAct._meta.label, 0)
    return {
        "jobs": deleted,
        "events": events.delete()[0],
        "bulk_acts": gone,
        "letters": letters.delete()[0],
        "workers": workers.delete()[0],
    }


def _old_workers(at: datetime) -> QuerySet[Worker]:
    held = Item.objects.held().filter(worker=OuterRef("name"))
    return Worker.objects.filter(~Exists(held), seen_at__lt=at - KEEP_WORKERS)


def _old_jobs(at: datetime) -> QuerySet[Job]:
    completed = Q(status=JobStatus.COMPLETED, finished_at__lt=at - KEEP_COMPLETED)
    others = Q(status__in=(JobStatus.FAILED, JobStatus.CANCELLED), finished_at__lt=at - KEEP_FAILED)
    return Job.objects.filter(completed | others)


def _delete(job_id: int, *, at: datetime) -> bool:
    """Delete a job with all that is its own, unless somebody has opened it again; asked under its lock."""
    with transaction.atomic():
        job = _old_jobs(at).select_for_update().filter(pk=job_id).first()
        if job is None:
            return False
        _delete_items(job)
        job.delete()
        return True


def _delete_items(job: Job) -> None:
    """The items of a job, and what apps keep beside them, each in one statement: Django would load them all first."""
    items = Item.objects.filter(phase__job=job)
    for relation in Item._meta.related_objects:
        beside = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": items})
        beside._raw_delete(beside.db)
    items._raw_delete(items.db)
