"""Start, finish and failure of a phase as a whole."""

from __future__ import annotations

from jobs.change import Actor, Change, change_jobs
from jobs.change.refusals import Call, require_open, require_without_items
from jobs.models import Phase
from jobs.rules.statuses import CompletedBy, PhaseStatus
from jobs.tracking.announce import announce_total


def start(phase: Phase, *, by: Actor) -> Phase:
    """Start a phase without items; a repetition changes nothing."""
    with change_jobs([phase.job_id], by=by) as change:
        return start_phase(change, change.phase(phase.pk))


def start_phase(change: Change, phase: Phase) -> Phase:
    """Start a phase inside a change that has locked the job."""
    change.record_heartbeat(phase.job)
    require_without_items(phase, "start")
    if not phase.is_completed:
        require_open(phase, Call.START)
        if phase.started_at is None:
            phase.job.progress_at = change.now
        change.begin(phase)
    return phase


def finish(phase: Phase, *, by: Actor) -> Phase:
    """Finish a phase with the items counted so far; an unknown total becomes that number.

    On a phase with listed items and no announced total this closes the list: the total is the number of its items, and
    the phase completes when they are settled.
    """
    with change_jobs([phase.job_id], by=by) as change:
        return finish_phase(change, change.phase(phase.pk))


def finish_phase(change: Change, phase: Phase) -> Phase:
    """Finish a phase inside a change that has locked the job."""
    change.record_heartbeat(phase.job)
    if phase.is_completed:
        return phase
    require_open(phase, Call.FINISH)
    if phase.has_items and phase.expected is None:
        announce_total(change, phase, expected=phase.items_total)
        return phase
    require_without_items(phase, "finish")
    change.begin(phase)
    change.complete(phase, by=CompletedBy.FINISHED)
    return phase


def fail(phase: Phase, *, error: str = "", by: Actor) -> Phase:
    """Fail a phase without items; only a restart opens it again."""
    with change_jobs([phase.job_id], by=by) as change:
        return fail_phase(change, change.phase(phase.pk), error=error)


def fail_phase(change: Change, phase: Phase, *, error: str = "") -> Phase:
    """Fail a phase inside a change that has locked the job."""
    change.record_heartbeat(phase.job)
    require_without_items(phase, "fail")
    if phase.status == PhaseStatus.FAILED:
        return phase
    require_open(phase, Call.FAIL)
    change.begin(phase)
    change.fail(phase, error=error or "unknown error")
    return phase
