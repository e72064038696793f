"""Acts that change how a job goes on: pause, resume, set the threshold, restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jobs.change import Change
from jobs.change.audit import audit
from jobs.change.new_run import gated_after, rerun
from jobs.models import Job, Phase
from jobs.operations.base import Act, acting, require_status
from jobs.rules import progress
from jobs.rules.errors import BadInput, WrongState
from jobs.rules.formatting import pluralize_with_verb
from jobs.rules.statuses import CompletedBy, Held, JobStatus, PhaseStatus

if TYPE_CHECKING:
    from jobs.operations.base import By


def pause(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """Nothing new is claimed; what is held may still be reported. Watermarks keep the time they had left."""
    with acting(job, "pause", actor=actor, reason=reason, revision=revision) as change:
        if change.job.status == JobStatus.PAUSED:
            return Act(0, change.job, f"Job {job.name} is paused already.")
        require_status(change, "pause", JobStatus.PENDING, JobStatus.PROCESSING)
        change.job.held = Held.PAUSED
        audit(change, "pause", "Nothing new is claimed.")
        return Act(1, change.job, f"Job {job.name} is paused.")


def resume(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """The job goes on, and its watermarks with the time they had left."""
    with acting(job, "resume", actor=actor, reason=reason, revision=revision) as change:
        if change.job.status in (JobStatus.PENDING, JobStatus.PROCESSING):
            return Act(0, change.job, f"Job {job.name} is not paused.")
        require_status(change, "resume", JobStatus.PAUSED)
        change.job.held, change.job.watched_from = "", change.now
        audit(change, "resume", "Items are claimable again.")
        return Act(1, change.job, f"Job {job.name} goes on.")


def set_threshold(
    job: Job, *, phase: str, threshold: int, actor: By, reason: str = "", revision: int | None = None
) -> Act:
    """Change how many percent complete one phase; it is judged anew at once.

    A failed phase that meets the new threshold is completed. `changed` is 1 or 0.
    """
    with acting(job, "set_threshold", actor=actor, reason=reason, revision=revision) as change:
        if not 0 <= threshold <= 100:
            raise BadInput({"threshold": "A percent from 0 to 100."})
        p = change.phase_by_code(phase)
        if p.status in (PhaseStatus.COMPLETED, PhaseStatus.CANCELLED):
            raise WrongState(
                f"Phase {phase} is {p.status}; its threshold can change while it is pending, processing or failed."
            )
        if p.threshold == threshold:
            return Act(0, change.job, f"The threshold of {phase} is {threshold} % already.")
        detail = f"The threshold of {phase} is {threshold} % (was {p.threshold} %)."
        p.threshold = threshold
        audit(change, "set_threshold", detail, phase=p)
        if p.status == PhaseStatus.FAILED and progress.threshold_met(p.counts, threshold):
            _redeem(change, p)
        return Act(1, change.job, detail)


def _redeem(change: Change, phase: Phase) -> None:
    """A failed phase was over already: with its threshold met it is completed, whatever its trigger waits for."""
    change.reopen(phase)
    if phase.gate_open:
        by_threshold = progress.completion(phase.counts, by=CompletedBy.THRESHOLD)
        change.close(phase, progress.judge(phase.state) or by_threshold)


def restart(
    job: Job,
    *,
    phase: str,
    only: Literal["all", "failed"] = "all",
    actor: By,
    reason: str = "",
    revision: int | None = None,
) -> Act:
    """Begin a new run of a phase, and of every later gated one.

    All its items but the skipped ones are pending again, or with `failed` only the failed and the held
    ones (nothing, where an open or completed phase has none failed); later gated phases begin from
    nothing. Totals are kept, leases revoked, watermarks and tallies cleared; a cancelled job goes on.
    `changed` counts items (a phase without items counts as one).
    """
    with acting(job, "restart", actor=actor, reason=reason, revision=revision) as change:
        first = change.phase_by_code(phase)
        if _nothing_to_restart(first, only=only):
            return Act(0, change.job, f"Phase {phase} has nothing to restart.")
        later = gated_after(change.phases[change.job.pk], first)
        changed = rerun(change, [first], only=only) + rerun(change, later)
        if change.job.held == Held.CANCELLED:
            change.job.held = ""
        change.job.watched_from = change.now
        change.errors_stale.add(change.job.pk)
        names = ", ".join(p.code for p in [first, *later])
        detail = f"{pluralize_with_verb(changed, 'item')} pending again."
        audit(change, "restart", f"A new run of {names}: {detail}", phase=first)
        return Act(changed, change.job, detail)


def _nothing_to_restart(phase: Phase, *, only: str) -> bool:
    if only == "failed":
        return not phase.failed and (phase.is_completed or phase.is_open)
    return phase.status == PhaseStatus.PENDING and not phase.started_at and not phase.counts.settled
