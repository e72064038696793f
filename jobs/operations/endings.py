"""Acts that end a job: force-complete, fail, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change.audit import audit
from jobs.change.new_run import revoke_leases
from jobs.change.phase_life import Life
from jobs.models import Job, Phase
from jobs.models.texts import fit
from jobs.operations.base import Act, acting, chosen_phases, require_status
from jobs.rules.errors import WrongState
from jobs.rules.formatting import pluralize_with_verb
from jobs.rules.statuses import CompletedBy, Held, JobStatus

if TYPE_CHECKING:
    from jobs.operations.base import By

GOING = (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.PAUSED)


def force_complete(job: Job, *, phase: str = "", actor: By, reason: str, revision: int | None = None) -> Act:
    """An operator finishes the open and failed phases (or one of them) with what they have.

    Each sends one completed event marked as forced; an unknown total becomes what is settled. Leases
    are revoked, and the phases are closed for good except by restart. `changed` counts phases.
    """
    with acting(job, "force_complete", actor=actor, reason=reason, revision=revision, reason_required=True) as change:
        chosen = chosen_phases(change, phase)
        open_phases = [p for p in chosen if not p.is_completed]
        if not open_phases and any(p.forced for p in chosen):
            what = f"Phase {phase}" if phase else f"Job {job.name}"
            return Act(0, change.job, f"{what} has been force-completed already.")
        require_status(change, "force-complete", *GOING, JobStatus.FAILED)
        if not open_phases:
            raise WrongState(f"Phase {phase} is completed; force-complete is for pending, processing or failed ones.")
        revoke_leases(change, open_phases)
        for p in open_phases:
            change.complete(p, by=CompletedBy.FORCED, forced=True)
        detail = f"{pluralize_with_verb(len(open_phases), 'phase')} completed with what is there."
        audit(change, "force_complete", detail, phase=open_phases[0] if phase else None)
        return Act(len(open_phases), change.job, detail)


def fail(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """An operator fails the job: its open phases fail, leases are revoked. Restart opens it again."""
    with acting(job, "fail", actor=actor, reason=reason, revision=revision) as change:
        if change.job.status == JobStatus.FAILED:
            return Act(0, change.job, f"Job {job.name} is failed already.")
        require_status(change, "fail", *GOING)
        open_phases = [phase for phase in change.phases[change.job.pk] if phase.is_open]
        audit(change, "fail", f"{pluralize_with_verb(len(open_phases), 'open phase')} failed.")
        revoke_leases(change, open_phases)
        change.job.held = ""
        for phase in open_phases:
            change.fail(phase, error=fit(Phase, "error", reason) or "failed by an operator")
        return Act(1, change.job, f"Job {job.name} is failed.")


def cancel(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """An operator cancels the job: nothing more is taken or told, but what is done stays counted."""
    with acting(job, "cancel", actor=actor, reason=reason, revision=revision) as change:
        if change.job.status == JobStatus.CANCELLED:
            return Act(0, change.job, f"Job {job.name} is cancelled already.")
        require_status(change, "cancel", *GOING, JobStatus.FAILED)
        unfinished = [phase for phase in change.phases[change.job.pk] if not phase.is_completed]
        audit(change, "cancel", f"{pluralize_with_verb(len(unfinished), 'unfinished phase')} cancelled.")
        revoke_leases(change, change.phases[change.job.pk])
        change.job.held = Held.CANCELLED
        for phase in unfinished:
            change.apply_life_event(phase, Life.CANCEL)
        return Act(1, change.job, f"Job {job.name} is cancelled.")
