"""Comparison of two jobs: rates, errors, items that failed in both, workers; in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db.models import Count, Exists, Max, OuterRef, Sum

from jobs.console.charts import Minute, RateChart, rate_chart
from jobs.console.job_rows import JobRow, rows_of
from jobs.models import Item, Job, Phase, Tally, Worker, WorkerTally

SIGNATURES, ITEMS, WORKERS = 50, 50, 100
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two jobs."""

    job: Job
    row: JobRow
    chart: RateChart | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One error and how often each job has it now."""

    signature: str
    sample: str
    first: int
    second: int

    @property
    def change(self) -> str:
        """Whether the error is new or gone in the second job, or in both."""
        if not self.first:
            return "new"
        return "in both" if self.second else "gone"


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker, its present version, and its done and failed items in each job."""

    name: str
    version: str
    first: tuple[int, int]
    second: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two jobs side by side."""

    sides: Sequence[Side]
    errors: Sequence[ErrorLine]
    more_errors: bool
    items: Sequence[Item]
    more_items: bool
    workers: Sequence[WorkerLine]
    more_workers: bool


def compare(first: Job, second: Job, projects: Collection[str] | None, *, now: datetime) -> Comparison:
    """Compare two jobs; versions are those of workers that were last seen in these projects (None: in all)."""
    jobs = (first, second)
    phases = {job.pk: [phase.pk for phase in job.phases.all()] for job in jobs}
    errors = _errors(jobs)
    items = _failed_in_both(phases[first.pk], phases[second.pk])
    workers = _workers(jobs, projects)
    return Comparison(
        _sides(jobs, now=now),
        errors[:SIGNATURES],
        len(errors) > SIGNATURES,
        items[:ITEMS],
        len(items) > ITEMS,
        workers[:WORKERS],
        len(workers) > WORKERS,
    )


def _sides(jobs: Sequence[Job], *, now: datetime) -> list[Side]:
    rows = rows_of(jobs, now=now)
    minutes = _minutes(jobs)
    # Both charts are as long as the longer job, so that the same place is the same time since the start.
    length = max((found[-1][0] - found[0][0] for found in minutes.values() if found), default=timedelta())
    sides = []
    for job in jobs:
        found = minutes[job.pk]
        chart = rate_chart(found, first=found[0][0], last=found[0][0] + length) if found else None
        end = job.finished_at or now
        sides.append(Side(job, rows[job.pk], chart, (end - job.started_at).total_seconds() if job.started_at else None))
    return sides


def _minutes(jobs: Sequence[Job]) -> dict[int, list[Minute]]:
    tallies = Tally.objects.filter(phase__job__in=[job.pk for job in jobs]).order_by("phase__job_id", "minute")
    rows = tallies.values_list("phase__job_id", "minute").annotate(done=Sum("done"), failed=Sum("failed"))
    found: dict[int, list[Minute]] = {job.pk: [] for job in jobs}
    for pk, each in groupby(rows, key=lambda row: row[0]):
        found[pk] = [(minute, done, failed) for _, minute, done, failed in each]
    return found


def _errors(jobs: Sequence[Job]) -> list[ErrorLine]:
    """Return the errors of both, those that are new in the second job first, then by their number."""
    first, second = jobs
    failed = Item.objects.failed().filter(phase__in=Phase.objects.filter(job__in=[first.pk, second.pk])).order_by()
    counted = failed.values("phase__job_id", "signature").annotate(count=Count("pk"), sample=Max("error"))
    numbers: defaultdict[str, dict[int, int]] = defaultdict(dict)
    samples = {}
    for row in counted.order_by("-count", "signature", "phase__job_id")[: 2 * SIGNATURES + 1]:
        numbers[row["signature"]][row["phase__job_id"]] = row["count"]
        samples[row["signature"]] = row["sample"]
    lines = [
        ErrorLine(each, samples[each], counts.get(first.pk, 0), counts.get(second.pk, 0))
        for each, counts in numbers.items()
    ]
    return sorted(lines, key=lambda line: (("new", "gone", "in both").index(line.change), -line.first - line.second))


def _failed_in_both(first: Sequence[int], second: Sequence[int]) -> list[Item]:
    """Return failed items of the second job whose key failed in the first one too."""
    before = Item.objects.within(first).failed().filter(key_digest=OuterRef("key_digest"))
    found = Item.objects.failed().filter(Exists(before), phase__in=second).select_related("phase")
    return list(found.order_by("-finished_at", "-pk")[: ITEMS + 1])


def _workers(jobs: Sequence[Job], projects: Collection[str] | None) -> list[WorkerLine]:
    first, second = jobs
    tallies = WorkerTally.objects.filter(phase__job__in=[first.pk, second.pk]).order_by("worker", "owner")
    rows = tallies.values_list("worker", "owner", "phase__job_id").annotate(done=Sum("done"), failed=Sum("failed"))
    results: defaultdict[tuple[str, int], dict[int, tuple[int, int]]] = defaultdict(dict)
    for name, owner, pk, done, failed in rows[: 2 * WORKERS + 2]:
        results[name, owner][pk] = (done, failed)
    known = Worker.objects.within(projects).filter(name__in={name for name, _ in results})
    versions = {(name, owner): version for name, owner, version in known.values_list("name", "owner", "version")}
    nothing = (0, 0)
    return [
        WorkerLine(key[0], versions.get(key, ""), each.get(first.pk, nothing), each.get(second.pk, nothing))
        for key, each in results.items()
    ]
