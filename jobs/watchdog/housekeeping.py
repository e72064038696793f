"""Keeping the books: counters against items, and forgetting what is old."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from jobs.change import COUNTERS, Actor, change
from jobs.models import Event, Item, Job, Phase
from jobs.statuses import JobStatus

RECOUNT = Actor(name="recount")
KEEP_COMPLETED = timedelta(days=30)
KEEP_FAILED = timedelta(days=90)
KEEP_TIMELINE = timedelta(days=365)
ITEMS_PER_DELETE = 10_000
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
    for job_id in Job.objects.order_by("pk").values_list("pk", flat=True).iterator():
        differences += _recount_job(job_id, repair=repair)
    return differences


def _recount_job(job_id: int, *, repair: bool) -> list[Difference]:
    with change([job_id], by=RECOUNT) as c:
        phases = [phase for phase in c.phases[job_id] if not phase.counted]
        truth = _counts_of_items(phases)
        differences = [
            Difference(c.job.name, phase.code, name, getattr(phase, name), truth[phase.pk][name])
            for phase in phases
            for name in COUNTER_FIELDS
            if getattr(phase, name) != truth[phase.pk][name]
        ]
        if repair:
            for phase in phases:
                for name in COUNTER_FIELDS:
                    setattr(phase, name, truth[phase.pk][name])
        if repair and differences:
            c.record(c.job, "recount.repaired", detail=f"{len(differences)} counters did not equal the items.")
    return differences


def _counts_of_items(phases: list[Phase]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTER_FIELDS, 0))
    grouped = Item.objects.filter(phase__in=phases).order_by().values_list("phase", "status").annotate(n=Count("pk"))
    for phase_id, status, number in grouped:
        counts[phase_id]["items_total"] += number
        if status in COUNTERS:
            counts[phase_id][COUNTERS[status]] += number
    return counts


def prune(*, dry_run: bool = False, now: datetime | None = None) -> dict[str, int]:
    """Delete completed jobs after 30 days, failed and cancelled ones after 90, timeline rows after 365."""
    at = now or timezone.now()
    old = Job.objects.filter(status=JobStatus.COMPLETED, finished_at__lt=at - KEEP_COMPLETED) | Job.objects.filter(
        status__in=(JobStatus.FAILED, JobStatus.CANCELLED), finished_at__lt=at - KEEP_FAILED
    )
    events = Event.objects.filter(at__lt=at - KEEP_TIMELINE)
    found = {"jobs": old.count(), "events": events.count()}
    if not dry_run:
        for job in old.iterator():
            _delete_items(Item.objects.filter(phase__job=job))
            job.delete()
        events.delete()
    return found


def _delete_items(items: QuerySet[Item]) -> None:
    """In portions, so that nobody waits for one long transaction."""
    while ids := list(items.order_by("pk").values_list("pk", flat=True)[:ITEMS_PER_DELETE]):
        Item.objects.filter(pk__range=(ids[0], ids[-1]), pk__in=ids).delete()
