"""What needs a person: in which order, why, since when, and what to press."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.console.job_rows import Row
from jobs.console.overview.silent_workers import SilentWorker, release_offer, silent_workers
from jobs.console.workers.worker_queries import Holding
from jobs.models import Job, Phase
from jobs.models.phases import phases_of
from jobs.models.workers import ALIVE
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.diagnosis.causes import none_succeeded, only_failing, out_of_reach, stuck_since
from jobs.operations.diagnosis.evidence import failing_now
from jobs.operations.snapshot import JobSnapshot, leases_of, snapshot_of
from jobs.rules import progress
from jobs.rules.formatting import format_duration, format_number, pluralize
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Attention:
    """A job that needs somebody; the lowest rank first. `absent` are the workers that the row is about, if any."""

    rank: int
    job: Job
    row: Row
    cause: str
    detail: str
    offer: ActButton
    absent: SilentWorker | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of a job before it is judged."""

    figures: JobSnapshot
    row: Row
    holding: Holding | None
    user: User | AnonymousUser
    failing_now: Mapping[int, int]


def attention(
    jobs: Iterable[Job],
    user: User | AnonymousUser,
    *,
    rows: Mapping[int, Row],
    holdings: Sequence[Holding],
    now: datetime,
) -> list[Attention]:
    """Stuck without a live worker, stuck, out of reach or only failing, failed and retryable, held by the absent."""
    unique = {job.pk: job for job in jobs}
    phases = phases_of(unique.values())
    leases = leases_of((phase for of in phases.values() for phase in of), now=now)
    failing = failing_now((phase for of in phases.values() for phase in of), now=now)
    held = {holding.job_id: holding for holding in holdings}
    found = []
    for job in unique.values():
        figures = snapshot_of(job, phases=phases[job.pk], now=now)
        figures.leases = leases.get(job.pk, (0, 0, 0))
        found.append(_judge(_Case(figures, rows[job.pk], held.get(job.pk), user, failing)))
    return sorted((row for row in found if row), key=lambda row: row.rank)


def _judge(case: _Case) -> Attention | None:
    f, job = case.figures, case.figures.job
    if job.stuck:
        rank = 1 if _has_live_worker(f) else 0
        return _row(
            case, rank, stuck_since(job, now=f.now), _who_holds(case), "release" if f.free else "force-complete"
        )
    if job.status == JobStatus.FAILED:
        cause = f"{_failed_since(f)}: {job.error}" if job.error else _failed_since(f)
        return _row(case, 3 if f.failed else 2, cause, _missing(f), "retry" if f.failed else "restart")
    if job.status == JobStatus.PROCESSING:
        failing = list(_failing(case))
        if failing:
            return _row(case, 2, failing[0], job.error, "retry")
    if job.status == JobStatus.COMPLETED:
        fruitless = [phase for phase in f.phases if phase.failed and not phase.counts.processed]
        return _row(case, 3, none_succeeded(fruitless[0]), job.error, "retry") if fruitless else None
    return _held(case, case.holding) if case.holding else None


def _failing(case: _Case) -> Iterator[str]:
    """The open phases whose threshold is out of reach, then those that only fail, each in a sentence."""
    f = case.figures
    yield from (out_of_reach(phase) for phase in f.out_of_reach() if phase.is_open)
    for phase in f.phases:
        said = only_failing(phase, failed_lately=case.failing_now.get(phase.pk, 0)) if phase.is_open else ""
        if said:
            yield said if len(f.phases) == 1 else f"{phase.label}: {said}"


def _row(case: _Case, rank: int, cause: str, detail: str, act: str) -> Attention:
    return Attention(rank, case.figures.job, case.row, cause, detail, act_button(act, case.figures, case.user))


def _held(case: _Case, holding: Holding) -> Attention:
    """A row that is about the workers: after everything that is about the job itself."""
    f = case.figures
    absent = SilentWorker(holding, now=f.now)
    return Attention(5, f.job, case.row, absent.since, absent.detail, release_offer(f, holding, case.user), absent)


def _has_live_worker(f: JobSnapshot) -> bool:
    return f.job.heartbeat_at is not None and f.job.heartbeat_at > f.now - ALIVE


def _who_holds(case: _Case) -> str:
    held = sum(phase.processing for phase in case.figures.phases)
    if not held:
        return "no worker holds an item"
    by = f" by {silent_workers(case.holding, now=case.figures.now)}" if case.holding else ""
    return f"{pluralize(held, 'item')} still held{by}"


def _failed_since(f: JobSnapshot) -> str:
    at = f.job.finished_at
    return f"failed {format_duration((f.now - at).total_seconds())} ago" if at else "failed"


def _missing(f: JobSnapshot) -> str:
    return "; ".join(_shortfalls(phase for phase in f.phases if phase.status == "failed"))


def _shortfalls(phases: Iterable[Phase]) -> Iterator[str]:
    for phase in phases:
        done = f"{phase.label}: {format_number(phase.counts.processed)} done"
        needed = progress.needed(phase.expected, phase.threshold)
        yield done if needed is None else f"{done}, {format_number(needed)} needed"
