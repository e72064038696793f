"""What needs a person: which jobs, in which order, why, and what to press."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobs import progress
from jobs.diagnosis.causes import out_of_reach, stuck_since
from jobs.models import Job, Phase
from jobs.previews import Figures, Offer, figures_of, offer
from jobs.statuses import JobStatus, Shortfall
from jobs.views.workers import ALIVE
from jobs.words import number, things

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Attention:
    """A job that needs somebody; the lowest rank first."""

    rank: int
    job: Job
    row: Any
    cause: str
    detail: str
    offer: Offer


def attention(
    jobs: Iterable[Job], user: User | AnonymousUser, *, rows: Mapping[int, Any], now: datetime
) -> list[Attention]:
    """Stuck without a live worker, stuck, out of reach, failed and retryable: those among these jobs."""
    listed = list(jobs)
    phases: dict[int, list[Phase]] = defaultdict(list)
    for phase in Phase.objects.filter(job_id__in=[job.pk for job in listed]).order_by("job_id", "position"):
        phases[phase.job_id].append(phase)
    found = [_judge(figures_of(job, phases=phases[job.pk], now=now), user, rows[job.pk]) for job in listed]
    return sorted((row for row in found if row), key=lambda row: row.rank)


def _judge(f: Figures, user: User | AnonymousUser, row: Any) -> Attention | None:
    job = f.job
    if job.stuck:
        rank = 1 if _has_live_worker(f) else 0
        return Attention(rank, job, row, stuck_since(job, now=f.now), _who_holds(f), offer("force-complete", f, user))
    if job.status == JobStatus.FAILED and not f.failed:
        return Attention(2, job, row, job.error or "Failed", _missing(f), offer("restart", f, user))
    if job.status == JobStatus.FAILED:
        return Attention(3, job, row, job.error or "Failed", _missing(f), offer("retry", f, user))
    failing = [phase for phase in f.out_of_reach() if phase.on_shortfall == Shortfall.FAIL]
    if failing:
        return Attention(2, job, row, out_of_reach(failing[0]), job.error, offer("retry", f, user))
    return None


def _has_live_worker(f: Figures) -> bool:
    return f.job.heartbeat_at is not None and f.job.heartbeat_at > f.now - timedelta(seconds=ALIVE)


def _who_holds(f: Figures) -> str:
    held = sum(phase.processing for phase in f.phases)
    return f"{things(held, 'item')} still held" if held else "no worker holds an item"


def _missing(f: Figures) -> str:
    return "; ".join(_shortfall(phase) for phase in f.phases if phase.status == "failed")


def _shortfall(phase: Phase) -> str:
    needed = progress.needed(phase.expected, phase.threshold)
    return f"{phase.label}: {number(phase.counts.processed)} done, {number(needed)} needed"
