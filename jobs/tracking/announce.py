"""Announcements: the total of a phase."""

from __future__ import annotations

from uuid import UUID

from jobs.change import Actor, Change, change_jobs
from jobs.change.phase_life import Life
from jobs.change.refusals import Call, closed_to
from jobs.models import Phase
from jobs.tracking.event_ids import first_time
from jobs.tracking.types import Announced


def announce(phase: Phase, *, expected: int, event_id: UUID | None = None, by: Actor) -> Announced:
    """Set the number of items that the phase has in all. The latest total before completion wins.

    Each accepted one is recorded, restarts the watermark and has the phase evaluated at once. The same event_id or the
    same total changes nothing. A phase that is over only records it.
    """
    with change_jobs([phase.job_id], by=by) as change:
        return announce_locked(change, change.phase(phase.pk), expected=expected, event_id=event_id)


def announce_locked(change: Change, phase: Phase, *, expected: int, event_id: UUID | None) -> Announced:
    """Announce a total for a worker, inside a change that has locked the job."""
    change.record_heartbeat(phase.job)
    return announce_total(change, phase, expected=expected, event_id=event_id)


def announce_total(change: Change, phase: Phase, *, expected: int, event_id: UUID | None = None) -> Announced:
    """Announce a total inside a change that has locked the job."""
    source = f"phase/{phase.pk}"
    if event_id and not first_time(change, phase, event_id, {"expected": expected}, source=source, any_body=True):
        return Announced(False, "duplicate", phase)
    if phase.expected == expected:
        return Announced(False, "same_total", phase)
    if closed_to(phase, Call.ANNOUNCE):
        change.record(
            phase.job, f"{phase.code}.announced", phase=phase, detail=f"{expected}, after it was {phase.status}"
        )
        return Announced(False, "closed", phase)
    was = "" if phase.expected is None else f" (was {phase.expected})"
    change.record(phase.job, f"{phase.code}.announced", phase=phase, detail=f"{expected}{was}", expected=expected)
    change.apply_life_event(phase, Life.ANNOUNCE, total=expected)
    return Announced(True, None, phase)
