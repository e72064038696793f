"""Live counts of a job's items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Count

from jobs.models import Item, Job, Phase
from jobs.rules import progress
from jobs.serializers.shapes import ProgressBody


def progress_body(job: Job, *, phases: Sequence[Phase]) -> ProgressBody:
    """Build the live counts of these phases of a job.

    `total` is the expected number, or the number of items before the announcement. `percent` is that of the phase for
    one phase and that of the job for all.
    """
    return {
        "total": sum(_total(phase) for phase in phases),
        "processed": sum(phase.done for phase in phases),
        "error": sum(phase.failed for phase in phases),
        "skipped": sum(phase.skipped for phase in phases),
        "pending": sum(_pending(phase) for phase in phases),
        "processing": sum(phase.processing for phase in phases),
        "percent": _percent(job, phases),
        "by_split": _by_split(phases),
    }


def _total(phase: Phase) -> int:
    return phase.items_total if phase.expected is None else phase.expected


def _pending(phase: Phase) -> int:
    pending = progress.pending(phase.counts)
    return max(0, phase.pending_items) if pending is None else pending


def _percent(job: Job, phases: Sequence[Phase]) -> int:
    if len(phases) != 1:
        return job.percent
    return progress.percent(phases[0].counts, completed=phases[0].is_completed) or 0


def _by_split(phases: Sequence[Phase]) -> dict[str, dict[str, int]]:
    rows = Item.objects.filter(phase__in=[phase.pk for phase in phases]).order_by()
    answer: dict[str, dict[str, int]] = defaultdict(dict)
    for split, status, number in rows.values_list("split", "status").annotate(number=Count("id")):
        answer[split][status] = number
    return dict(answer)
