"""Totals and phases without items: announce, count, start, finish, fail."""

from __future__ import annotations

import hashlib
import json
from uuid import UUID

from jobs.change import Actor, Change, change_jobs
from jobs.change.phase_life import Life
from jobs.change.refusals import Call, closed_to, require_open
from jobs.models import InboxMessage, Phase
from jobs.rules.errors import BadInput, Conflict, WrongState
from jobs.rules.statuses import CompletedBy, PhaseStatus
from jobs.tracking.types import Announced, Counted

LARGEST = 2**53


def announce(phase: Phase, *, expected: int, event_id: UUID | None = None, by: Actor) -> Announced:
    """Tell how many items the phase has in all. The latest total before completion wins.

    Each accepted one is recorded, sets the watermark anew and has the phase judged at once. The
    same event_id or the same total changes nothing; a phase that is over only records it.
    """
    with change_jobs([phase.job_id], by=by) as change:
        locked = change.phase(phase.pk)
        change.record_heartbeat(locked.job)
        return announce_total(change, locked, expected=expected, event_id=event_id)


def announce_total(change: Change, phase: Phase, *, expected: int, event_id: UUID | None = None) -> Announced:
    """`announce` inside a change that holds the job."""
    source = f"phase/{phase.pk}"
    if event_id and not _first_time(change, phase, event_id, {"expected": expected}, source=source, any_body=True):
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


def count(phase: Phase, *, done: int = 0, failed: int = 0, skipped: int = 0, event_id: UUID, by: Actor) -> Counted:
    """Add to the counters of a phase without items. `event_id` makes repeating it harmless.

    An id is remembered for the run, so that a restarted phase is counted again. In one run the same id with other
    numbers is a Conflict; a phase that has items, or takes no reports, WrongState.
    """
    with change_jobs([phase.job_id], by=by) as change:
        locked = change.phase(phase.pk)
        change.record_heartbeat(locked.job)
        body = {"done": done, "failed": failed, "skipped": skipped}
        if not _first_time(change, locked, event_id, body, source=_source_of_counts(locked)):
            return Counted(False, locked)
        require_open(locked, Call.COUNT)
        _check_without_items(locked, "count")
        if locked.counts.settled + done + failed + skipped > LARGEST:
            raise BadInput({"done": f"The sum would be over {LARGEST}."})
        change.begin(locked)
        locked.counted = True
        locked.done, locked.failed, locked.skipped = (
            locked.done + done,
            locked.failed + failed,
            locked.skipped + skipped,
        )
        change.tally(locked, done=done, failed=failed, skipped=skipped)
        return Counted(True, locked)


def start(phase: Phase, *, by: Actor) -> Phase:
    """Say that a phase without items is being worked on; saying it again changes nothing."""
    with change_jobs([phase.job_id], by=by) as change:
        return start_phase(change, change.phase(phase.pk))


def start_phase(change: Change, phase: Phase) -> Phase:
    """`start` inside a change that holds the job."""
    change.record_heartbeat(phase.job)
    _check_without_items(phase, "start")
    if not phase.is_completed:
        require_open(phase, Call.START)
        if phase.started_at is None:
            phase.job.progress_at = change.now
        change.begin(phase)
    return phase


def count_up_to(change: Change, phase: Phase, *, done: int) -> None:
    """Count a phase without items, which has begun, up to an absolute number; a lower one changes nothing."""
    require_open(phase, Call.COUNT)
    _check_without_items(phase, "count")
    if done > phase.done:
        phase.counted = True
        change.tally(phase, done=done - phase.done)
        phase.done = done


def finish(phase: Phase, *, by: Actor) -> Phase:
    """Say that a phase is finished, with what was counted; an unknown total becomes that number.

    On a phase whose items are listed and whose total nobody announced it closes the list: the
    total is the number of its items, and the phase completes when they are settled.
    """
    with change_jobs([phase.job_id], by=by) as change:
        return finish_phase(change, change.phase(phase.pk))


def finish_phase(change: Change, phase: Phase) -> Phase:
    """`finish` inside a change that holds the job."""
    change.record_heartbeat(phase.job)
    if phase.is_completed:
        return phase
    require_open(phase, Call.FINISH)
    if phase.has_items and phase.expected is None:
        announce_total(change, phase, expected=phase.items_total)
        return phase
    _check_without_items(phase, "finish")
    change.begin(phase)
    change.complete(phase, by=CompletedBy.FINISHED)
    return phase


def fail(phase: Phase, *, error: str = "", by: Actor) -> Phase:
    """Say that a phase without items has failed; only a restart begins it anew."""
    with change_jobs([phase.job_id], by=by) as change:
        return fail_phase(change, change.phase(phase.pk), error=error)


def fail_phase(change: Change, phase: Phase, *, error: str = "") -> Phase:
    """`fail` inside a change that holds the job."""
    change.record_heartbeat(phase.job)
    _check_without_items(phase, "fail")
    if phase.status == PhaseStatus.FAILED:
        return phase
    require_open(phase, Call.FAIL)
    change.begin(phase)
    change.fail(phase, error=error or "unknown error")
    return phase


def _check_without_items(phase: Phase, verb: str) -> None:
    if phase.has_items:
        raise WrongState(f"Phase {phase.code} has items; {verb} is for phases without items, report them instead.")


def _source_of_counts(phase: Phase) -> str:
    """Where the event ids of counts are remembered; those of the first run, as before there was one for each."""
    return f"phase/{phase.pk}" if phase.run == 1 else f"phase/{phase.pk}/{phase.run}"


def _first_time(
    change: Change, phase: Phase, event_id: UUID, body: dict[str, int], *, source: str, any_body: bool = False
) -> bool:
    """Remember the event_id for this source; False where it was there already with the same body."""
    fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    known = InboxMessage.objects.filter(source=source, event_id=event_id).first()
    if known is None:
        InboxMessage.objects.create(
            source=source, event_id=event_id, digest=fingerprint, phase=phase, received_at=change.now
        )
        return True
    if known.digest != fingerprint and not any_body:
        raise Conflict(
            f"event_id {event_id} was used for other numbers; send a new one with each new count.",
            code="event_id_reused",
        )
    return False
