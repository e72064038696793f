"""Figures of the items that a bulk retry made pending: how many succeeded, failed again, or are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Sum

from jobs.console.bulk.summary_text import Done
from jobs.models import BulkAct, Item, Phase
from jobs.models.bulk import TargetOutcome


@dataclass(frozen=True, slots=True)
class Rework:
    """The retried items: how many succeeded since, failed again, or are open."""

    retried: int
    succeeded: int
    failed: int
    open: int


def rework_of(act: BulkAct, jobs: Sequence[Done]) -> Rework | None:
    """Count what became of the retried items; None for other acts. Three queries for any number of jobs.

    A job may have open items, or failures since then, that were not retried: at most its retried items are counted.
    """
    changed = {job.job_id: job.changed for job in jobs if job.outcome == TargetOutcome.CHANGED}
    if act.act != "retry" or not changed:
        return None
    phases = Phase.objects.filter(job__in=list(changed)).order_by().values_list("job")
    left = F("items_total") - F("done") - F("failed") - F("skipped")
    opened = dict(phases.annotate(number=Sum(left)))
    since = Item.objects.failed().filter(phase__job__in=list(changed), finished_at__gte=act.created_at)
    failed = dict(since.order_by().values_list("phase__job").annotate(number=Count("pk")))
    again = {job: min(number, failed.get(job, 0)) for job, number in changed.items()}
    waiting = {job: min(number - again[job], max(0, opened.get(job, 0))) for job, number in changed.items()}
    total, lost, still = sum(changed.values()), sum(again.values()), sum(waiting.values())
    return Rework(total, total - lost - still, lost, still)
