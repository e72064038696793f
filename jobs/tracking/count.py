"""Counts of phases without items."""

from __future__ import annotations

from uuid import UUID

from jobs.change import Actor, Change, change_jobs
from jobs.change.refusals import Call, require_open, require_without_items
from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.growing_counts import ITEM_FAILURES, FailureOutcome
from jobs.rules.limits import LARGEST_INTEGER
from jobs.tracking.event_ids import is_known, remember
from jobs.tracking.types import Counted


def count(phase: Phase, *, done: int = 0, failed: int = 0, skipped: int = 0, event_id: UUID, by: Actor) -> Counted:
    """Add to the counters of a phase without items. `event_id` makes repeating it harmless.

    An id is remembered for the run, so that a restarted phase is counted again. In one run the same id with other
    numbers is a Conflict; a phase that has items, or takes no reports, WrongState.
    """
    with change_jobs([phase.job_id], by=by) as change:
        locked = change.phase(phase.pk)
        return count_locked(change, locked, done=done, failed=failed, skipped=skipped, event_id=event_id)


def count_locked(change: Change, phase: Phase, *, done: int, failed: int, skipped: int, event_id: UUID) -> Counted:
    """Add to the counters of a phase inside a change that has locked its job. A refusal changes nothing."""
    body, source = {"done": done, "failed": failed, "skipped": skipped}, _source_of_counts(phase)
    known = is_known(event_id, body, source=source)
    if not known:
        require_open(phase, Call.COUNT)
        require_without_items(phase, "count")
        if phase.counts.settled + done + failed + skipped > LARGEST_INTEGER:
            raise BadInput({"done": f"Enter numbers whose sum with the present counts is at most {LARGEST_INTEGER}."})
    change.record_heartbeat(phase.job)
    if known:
        return Counted(False, phase)
    remember(change, phase, event_id, body, source=source)
    change.begin(phase)
    phase.counted = True
    phase.done, phase.failed, phase.skipped = phase.done + done, phase.failed + failed, phase.skipped + skipped
    change.tally(phase, done=done, failed=failed, skipped=skipped)
    if failed:
        change.grow(ITEM_FAILURES, phase.job.kind, FailureOutcome.FAILED, failed)
    return Counted(True, phase)


def count_up_to(change: Change, phase: Phase, *, done: int) -> None:
    """Raise the count of a started phase without items to an absolute number; a lower one changes nothing."""
    require_open(phase, Call.COUNT)
    require_without_items(phase, "count")
    if done > phase.done:
        phase.counted = True
        change.tally(phase, done=done - phase.done)
        phase.done = done


def _source_of_counts(phase: Phase) -> str:
    """Return the source under which the event ids of counts are remembered, one for each run.

    That of the first run has no number, as in rows from before there was one for each run.
    """
    return f"phase/{phase.pk}" if phase.run == 1 else f"phase/{phase.pk}/{phase.run}"
