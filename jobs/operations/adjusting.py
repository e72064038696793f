"""Acts that change how a job goes on: pause, resume, set the threshold, restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from jobs import progress
from jobs.change import Change
from jobs.errors import BadInput, WrongState
from jobs.models import Item, Job, Phase, Tally
from jobs.operations.act import Act, acting, audit, require_status
from jobs.operations.finishing import revoke_leases
from jobs.operations.items import FRESH
from jobs.statuses import CompletedBy, Held, ItemStatus, JobStatus, PhaseStatus
from jobs.words import things_are

if TYPE_CHECKING:
    from jobs.operations.act import By


def pause(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """Nothing new is claimed; what is held may still be reported. Watermarks keep the time they had left."""
    with acting(job, "pause", actor=actor, reason=reason, revision=revision) as c:
        if c.job.status == JobStatus.PAUSED:
            return Act(0, c.job, f"Job {job.name} is paused already.")
        require_status(c, "pause", JobStatus.PENDING, JobStatus.PROCESSING)
        c.job.held = Held.PAUSED
        for phase in c.phases[c.job.pk]:
            if phase.deadline_at is not None:
                phase.deadline_left, phase.deadline_at = max(phase.deadline_at - c.now, c.now - c.now), None
        audit(c, "pause", "Nothing new is claimed.")
        return Act(1, c.job, f"Job {job.name} is paused.")


def resume(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """The job goes on, and its watermarks with the time they had left."""
    with acting(job, "resume", actor=actor, reason=reason, revision=revision) as c:
        if c.job.status in (JobStatus.PENDING, JobStatus.PROCESSING):
            return Act(0, c.job, f"Job {job.name} is not paused.")
        require_status(c, "resume", JobStatus.PAUSED)
        c.job.held, c.job.watched_from = "", c.now
        for phase in c.phases[c.job.pk]:
            if phase.deadline_left is not None:
                phase.deadline_at, phase.deadline_left = c.now + phase.deadline_left, None
        audit(c, "resume", "Items are claimable again.")
        return Act(1, c.job, f"Job {job.name} goes on.")


def set_threshold(
    job: Job, *, phase: str, threshold: int, actor: By, reason: str = "", revision: int | None = None
) -> Act:
    """Change how many percent complete one phase; it is judged anew at once.

    A failed phase that meets the new threshold is completed. `changed` is 1 or 0.
    """
    with acting(job, "set_threshold", actor=actor, reason=reason, revision=revision) as c:
        if not 0 <= threshold <= 100:
            raise BadInput({"threshold": "A percent from 0 to 100."})
        p = c.phase_by_code(phase)
        if p.status in (PhaseStatus.COMPLETED, PhaseStatus.CANCELLED):
            raise WrongState(
                f"Phase {phase} is {p.status}; its threshold can change while it is pending, processing or failed."
            )
        if p.threshold == threshold:
            return Act(0, c.job, f"The threshold of {phase} is {threshold} % already.")
        detail = f"The threshold of {phase} is {threshold} % (was {p.threshold} %)."
        p.threshold = threshold
        audit(c, "set_threshold", detail, phase=p)
        if p.status == PhaseStatus.FAILED and progress.threshold_met(p.counts, threshold):
            _redeem(c, p)
        return Act(1, c.job, detail)


def _redeem(c: Change, phase: Phase) -> None:
    """A failed phase was over already: with its threshold met it is completed, whatever its trigger waits for."""
    c.reopen(phase)
    if phase.gate_open:
        by_threshold = progress.completion(phase.counts, by=CompletedBy.THRESHOLD)
        c.close(phase, progress.judge(phase.state) or by_threshold)


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
    with acting(job, "restart", actor=actor, reason=reason, revision=revision) as c:
        first = c.phase_by_code(phase)
        if _nothing_to_restart(first, only=only):
            return Act(0, c.job, f"Phase {phase} has nothing to restart.")
        later = [p for p in c.phases[c.job.pk] if p.position > first.position and p.gated]
        changed = _rerun(c, [first], only=only) + _rerun(c, later, only="all")
        if c.job.held == Held.CANCELLED:
            c.job.held = ""
        c.job.watched_from = c.now
        c.errors_stale.add(c.job.pk)
        names = ", ".join(p.code for p in [first, *later])
        detail = f"{things_are(changed, 'item')} pending again."
        audit(c, "restart", f"A new run of {names}: {detail}", phase=first)
        return Act(changed, c.job, detail)


def _nothing_to_restart(phase: Phase, *, only: str) -> bool:
    if only == "failed":
        return not phase.failed and (phase.is_completed or phase.is_open)
    return phase.status == PhaseStatus.PENDING and not phase.started_at and not phase.counts.settled


def _rerun(c: Change, phases: Sequence[Phase], *, only: str) -> int:
    """A new run of each; how many items are pending again."""
    if not phases:
        return 0
    changed = sum(_to_redo(phase, only=only) for phase in phases)
    revoke_leases(c, phases)
    statuses = [ItemStatus.FAILED] if only == "failed" else [ItemStatus.FAILED, ItemStatus.COMPLETED]
    Item.objects.filter(phase__in=phases, status__in=statuses).update(**(FRESH | {"tries": 0}))
    Tally.objects.filter(phase__in=phases).delete()
    for phase in phases:
        _new_run(c, phase, only=only)
    return changed


def _to_redo(phase: Phase, *, only: str) -> int:
    if not phase.items_total:
        return 1
    return phase.failed + phase.processing + (phase.done if only == "all" else 0)


def _new_run(c: Change, phase: Phase, *, only: str) -> None:
    phase.run += 1
    phase.status, phase.forced, phase.error = PhaseStatus.PENDING, False, ""
    phase.completed_by, phase.partial, phase.completed_at, phase.started_at = "", False, None, None
    phase.deadline_at, phase.deadline_left = None, None
    phase.failed, phase.processing = 0, 0
    if only == "all":
        phase.done = 0
    if phase.counted:
        phase.done = phase.skipped = 0
    if phase.last_item_at is not None:
        phase.last_item_at = c.now
    if phase.expected is not None and not phase.announced:
        # What a phase without items was finished with is no total: it would complete the new run before its worker.
        has_items = phase.listed or phase.items_total > 0
        phase.expected = max(phase.expected, phase.items_total) if has_items else None
