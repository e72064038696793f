"""Failures grouped by their signature: of one job, or of all jobs of a filter.

Every figure of the groups is one query, independent of their number. Its cost grows with the failures, of which at most
MOST_LOOKED_AT are read, and not with the items that succeed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Min, Q, Window
from django.db.models.functions import RowNumber

from jobs.db import keyset
from jobs.models import Item, Job
from jobs.models.items import ItemQuerySet
from jobs.serializers.shapes import ErrorGroup, JobOfError, JobsErrorGroup

MOST_GROUPS = 200
MOST_LOOKED_AT = 50_000
MOST_NAMED = 20


class Amount(NamedTuple):
    """The number of failures of a group with this value."""

    value: Any
    number: int


@dataclass(frozen=True, slots=True)
class Failures:
    """The groups, the number of their failures, and whether older ones were left out."""

    groups: list[JobsErrorGroup]
    looked_at: int
    capped: bool


def error_groups(job: Job, *, most: int = MOST_GROUPS) -> list[ErrorGroup]:
    """Group the failed items of a job by error signature, the most frequent first."""
    failed = Item.objects.failed().filter(phase__in=job.phases.filter(failed__gt=0).values("pk"))
    return _groups(failed, order=("-count", "-last_at", "signature"), most=most)


def failures_of(jobs: Mapping[str, Any], *, since: datetime | None = None) -> ItemQuerySet:
    """Return the failed items of the jobs with these values (`{"kind": "ocr", "name__icontains": "matter"}`)."""
    failed = Item.objects.failed().filter(**{f"phase__job__{name}": value for name, value in jobs.items()})
    return failed if since is None else failed.filter(finished_at__gte=since)


def errors_across(failed: ItemQuerySet, *, newest_first: bool = False, most: int = MOST_GROUPS) -> Failures:
    """Group these failures, at most the newest MOST_LOOKED_AT of them, and name the jobs of each group."""
    looked_at = keyset.newest(failed, "finished_at", MOST_LOOKED_AT)
    capped = looked_at is not failed
    frequent, recent = "-count", "-last_at"
    order = (recent, frequent, "signature") if newest_first else (frequent, recent, "signature")
    groups = _groups(looked_at, order=order, most=most)
    return Failures(_with_jobs(looked_at, groups), MOST_LOOKED_AT if capped else failed.count(), capped)


# --- one query for each figure ---------------------------------------------------------------------


def _groups(failed: ItemQuerySet, *, order: tuple[str, ...], most: int) -> list[ErrorGroup]:
    found = failed.order_by().values("signature")
    counted = found.annotate(
        count=Count("pk"),
        first_at=Min("finished_at"),
        last_at=Max("finished_at"),
        worker_count=Count("worker", distinct=True, filter=~Q(worker="")),
    )
    groups = list(counted.order_by(*order)[:most])
    if not groups:
        return []
    same = failed.filter(signature__in=[group["signature"] for group in groups])
    newest = _newest(same)
    workers = _most(same.exclude(worker=""), "worker")
    phases = _most(same, "phase__code")
    return [_group(group, newest, workers[group["signature"]], phases[group["signature"]]) for group in groups]


def _group(
    counted: Mapping[str, Any], newest: Mapping[str, Item], workers: list[Amount], phases: list[Amount]
) -> ErrorGroup:
    item = newest.get(counted["signature"])
    return {
        "signature": counted["signature"],
        "sample": item.error if item else counted["signature"],
        "item": item.pk if item else None,
        "count": counted["count"],
        "first_at": counted["first_at"],
        "last_at": counted["last_at"],
        "workers": [worker.value for worker in workers],
        "worker_count": counted["worker_count"],
        "phases": [{"phase": phase.value, "count": phase.number} for phase in phases],
    }


def _newest(failed: ItemQuerySet) -> dict[str, Item]:
    """Return the newest item of each group; a group that was retried in this moment has none."""
    order = [F("finished_at").desc(), F("pk").desc()]
    placed = failed.order_by().annotate(place=Window(RowNumber(), partition_by="signature", order_by=order))
    return {item.signature: item for item in placed.filter(place=1).only("pk", "signature", "error")}


def _most(failed: ItemQuerySet, column: str) -> dict[str, list[Amount]]:
    """Return the most frequent values of a column in each group."""
    order = [F("amount").desc(), F(column).asc()]
    counted = failed.order_by().values("signature", column).annotate(amount=Count("pk"))
    placed = counted.annotate(place=Window(RowNumber(), partition_by="signature", order_by=order))
    found: dict[str, list[Amount]] = defaultdict(list)
    for row in placed.filter(place__lte=MOST_NAMED).order_by("place"):
        found[row["signature"]].append(Amount(row[column], row["amount"]))
    return found


def _with_jobs(failed: ItemQuerySet, groups: list[ErrorGroup]) -> list[JobsErrorGroup]:
    same = failed.filter(signature__in=[group["signature"] for group in groups]).order_by()
    most = _most(same, "phase__job_id") if groups else {}
    counted = same.values_list("signature").annotate(jobs=Count("phase__job_id", distinct=True)) if groups else []
    totals = dict(counted)
    known = Job.objects.only("pk", "name", "kind").in_bulk({job.value for jobs in most.values() for job in jobs})
    return [
        {
            **group,
            "jobs": [_job(known[job.value], job.number) for job in most[group["signature"]] if job.value in known],
            "job_count": totals.get(group["signature"], 0),
        }
        for group in groups
    ]


def _job(job: Job, count: int) -> JobOfError:
    return {"id": job.pk, "name": job.name, "kind": job.kind, "count": count}
