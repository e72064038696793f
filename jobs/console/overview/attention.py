"""Jobs that need attention, worst first, each with cause, details and the button that helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.console.job_rows import JobRow
from jobs.console.overview.silent_workers import SilentWorker, release_button, silent_workers
from jobs.console.workers.worker_queries import Holding
from jobs.models import Job, Phase
from jobs.models.phases import phases_of
from jobs.models.workers import ALIVE
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.diagnosis.causes import late_since, none_succeeded, only_failing, out_of_reach, stuck_since
from jobs.operations.diagnosis.evidence import failing_now
from jobs.operations.snapshot import JobSnapshot, leases_of, snapshot_of
from jobs.rules import progress
from jobs.rules.formatting import format_duration, format_number, pluralize
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Attention:
    """A job that needs attention; the lowest rank comes first. `silent` is set when the row is about its workers."""

    rank: int
    job: Job
    row: JobRow
    cause: str
    detail: str
    button: ActButton
    silent: SilentWorker | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """Input of the assessment of one job."""

    snapshot: JobSnapshot
    row: JobRow
    holding: Holding | None
    user: User | AnonymousUser
    failing_now: Mapping[int, int]


def attention(
    jobs: Iterable[Job],
    user: User | AnonymousUser,
    *,
    rows: Mapping[int, JobRow],
    holdings: Sequence[Holding],
    now: datetime,
) -> list[Attention]:
    """Return the jobs that need attention by rank; an incident of one job shows its row.

    0: stuck without a live worker; 1: stuck; 2: late; 3: threshold out of reach, or everything fails; 4: failed items
    can be retried; 5: silent workers hold items.
    """
    unique = {job.pk: job for job in jobs}
    phases = phases_of(unique.values())
    leases = leases_of((phase for of in phases.values() for phase in of), now=now)
    failing = failing_now((phase for of in phases.values() for phase in of), now=now)
    held = {holding.job_id: holding for holding in holdings}
    found = []
    for job in unique.values():
        snapshot = snapshot_of(job, phases=phases[job.pk], now=now)
        snapshot.leases = leases.get(job.pk, (0, 0, 0))
        found.append(_judge(_Case(snapshot, rows[job.pk], held.get(job.pk), user, failing)))
    return sorted((row for row in found if row), key=lambda row: row.rank)


def _judge(case: _Case) -> Attention | None:
    snapshot, job = case.snapshot, case.snapshot.job
    if job.stuck:
        rank = 1 if _has_live_worker(snapshot) else 0
        return _row(
            case,
            rank,
            stuck_since(job, now=snapshot.now),
            _holders(case),
            "release" if snapshot.free else "force-complete",
        )
    if job.late:
        failing = [*_failing(case), ""]
        return _row(case, 2, late_since(job, now=snapshot.now), failing[0], "retry" if failing[0] else "due")
    if job.status == JobStatus.FAILED:
        cause = f"{_failed_since(snapshot)}: {job.error}" if job.error else _failed_since(snapshot)
        return _row(
            case, 4 if snapshot.failed else 3, cause, _missing(snapshot), "retry" if snapshot.failed else "restart"
        )
    if job.status == JobStatus.PROCESSING:
        failing = list(_failing(case))
        if failing:
            return _row(case, 3, failing[0], job.error, "retry")
    if job.status == JobStatus.COMPLETED:
        fruitless = [phase for phase in snapshot.phases if phase.failed and not phase.counts.processed]
        return _row(case, 4, none_succeeded(fruitless[0]), job.error, "retry") if fruitless else None
    return _silent(case, case.holding) if case.holding else None


def _failing(case: _Case) -> Iterator[str]:
    """Yield a sentence for each open phase whose threshold is out of reach, then for those that only fail."""
    snapshot = case.snapshot
    yield from (out_of_reach(phase) for phase in snapshot.out_of_reach() if phase.is_open)
    for phase in snapshot.phases:
        text = only_failing(phase, failed_lately=case.failing_now.get(phase.pk, 0)) if phase.is_open else ""
        if text:
            yield text if len(snapshot.phases) == 1 else f"{phase.label}: {text}"


def _row(case: _Case, rank: int, cause: str, detail: str, act: str) -> Attention:
    return Attention(rank, case.snapshot.job, case.row, cause, detail, act_button(act, case.snapshot, case.user))


def _silent(case: _Case, holding: Holding) -> Attention:
    """Build a row about silent workers; it ranks after the rows about jobs themselves."""
    snapshot = case.snapshot
    silent = SilentWorker(holding, project=snapshot.job.project, now=snapshot.now)
    return Attention(
        5, snapshot.job, case.row, silent.since, silent.detail, release_button(snapshot, holding, case.user), silent
    )


def _has_live_worker(snapshot: JobSnapshot) -> bool:
    return snapshot.job.heartbeat_at is not None and snapshot.job.heartbeat_at > snapshot.now - ALIVE


def _holders(case: _Case) -> str:
    held = sum(phase.processing for phase in case.snapshot.phases)
    if not held:
        return "no worker holds an item"
    by = f" by {silent_workers(case.holding, now=case.snapshot.now)}" if case.holding else ""
    return f"{pluralize(held, 'item')} still held{by}"


def _failed_since(snapshot: JobSnapshot) -> str:
    at = snapshot.job.finished_at
    return f"failed {format_duration((snapshot.now - at).total_seconds())} ago" if at else "failed"


def _missing(snapshot: JobSnapshot) -> str:
    return "; ".join(_shortfalls(phase for phase in snapshot.phases if phase.status == "failed"))


def _shortfalls(phases: Iterable[Phase]) -> Iterator[str]:
    for phase in phases:
        done = f"{phase.label}: {format_number(phase.counts.processed)} done"
        needed = progress.needed(phase.expected, phase.threshold)
        yield done if needed is None else f"{done}, {format_number(needed)} needed"
