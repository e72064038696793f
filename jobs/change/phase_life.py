"""The life of a phase: one table of its events and the columns that each event sets.

A column that an event does not name stays as it is. All values are computed from the phase before the event, so their
order does not matter. The gate and the deadline depend on other rows; `run_clock` keeps the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from jobs.change import event_factory
from jobs.models import Phase
from jobs.rules import progress
from jobs.rules.limits import ERROR_LENGTH
from jobs.rules.progress import Judgement
from jobs.rules.statuses import CompletedBy, Moving, PhaseStatus


class Life(StrEnum):
    """An event in the life of a phase."""

    BEGIN = "begin"  # the first claim, report, count or start of a run
    LIST = "list"  # the phase begins with a list
    ADD_ITEMS = "add_items"  # the list has grown
    AWAIT_NEW = "await_new"  # the new items of a reopened run are there
    CLOSE_LIST = "close_list"  # the list gives the total
    ANNOUNCE = "announce"  # a worker or an event has given the total
    COMPLETE = "complete"
    FORCE = "force"  # completed by an operator with its present counts
    FAIL = "fail"
    CANCEL = "cancel"
    GO_ON = "go_on"  # a failed phase is open again in the same run
    REOPEN = "reopen"  # new items begin a run that keeps settled items
    RESTART = "restart"  # a run that repeats everything but skipped items
    RESTART_FAILED = "restart_failed"  # a run that does only failed and held items again
    RESTART_LARGE = "restart_large"  # a run whose items are still to become pending, in portions
    MOVED = "moved"  # the portions of a large act are over


@dataclass(frozen=True, slots=True)
class Cause:
    """The data of an event: its time, and where needed the cause of the completion, an error or a total."""

    now: datetime
    by: CompletedBy | None = None
    error: str = ""
    total: int | None = None


Value = Callable[[Phase, Cause], Any]


# --- values ------------------------------------------------------------------------------------------


def _is(value: Any) -> Value:
    return lambda phase, cause: value


def _now(phase: Phase, cause: Cause) -> datetime:
    return cause.now


def _first_start(phase: Phase, cause: Cause) -> datetime:
    return phase.started_at or cause.now


def _working(phase: Phase, cause: Cause) -> str:
    return PhaseStatus.PROCESSING if phase.status == PhaseStatus.PENDING else phase.status


def _open_again(phase: Phase, cause: Cause) -> str:
    return PhaseStatus.PROCESSING if phase.started_at else PhaseStatus.PENDING


def _next_run(phase: Phase, cause: Cause) -> int:
    return phase.run + 1


def _error(phase: Phase, cause: Cause) -> str:
    return cause.error[:ERROR_LENGTH] or event_factory.shortfall(phase)


def _completion(phase: Phase, cause: Cause) -> Judgement:
    counts = replace(phase.counts, expected=_known_total(phase, cause))
    return progress.completion(counts, by=cause.by or CompletedBy.ALL_DONE)


def _completed_by(phase: Phase, cause: Cause) -> str:
    return _completion(phase, cause).completed_by or ""


def _partial(phase: Phase, cause: Cause) -> bool:
    return _completion(phase, cause).partial


def _announced_total(phase: Phase, cause: Cause) -> int | None:
    return cause.total


def _known_total(phase: Phase, cause: Cause) -> int:
    """Return the total of a completed phase: the settled items where none was announced."""
    return phase.counts.settled if phase.expected is None else phase.expected


def _given_total(phase: Phase, cause: Cause) -> int:
    return phase.expected or 0


def _listed_total(phase: Phase, cause: Cause) -> int:
    return phase.items_total


def _grown_total(phase: Phase, cause: Cause) -> int | None:
    """Let a total that came from a list grow with it. An announced total changes only by announcement."""
    if phase.expected is None or phase.announced:
        return phase.expected
    return max(phase.expected, phase.items_total)


def _met_already(phase: Phase, cause: Cause) -> bool:
    """Return whether a reopened run would complete at once, for work of the run before."""
    return progress.threshold_met(phase.counts, phase.threshold)


def _still_waits_for_all(phase: Phase, cause: Cause) -> bool:
    counts = replace(phase.counts, expected=cause.total)
    return phase.waits_for_all and progress.threshold_met(counts, phase.threshold)


def _total_of_new_run(phase: Phase, cause: Cause) -> int | None:
    # A phase without items loses a total that came from its finish: it would complete the new run before its worker.
    if phase.expected is None or phase.announced:
        return phase.expected
    return max(phase.expected, phase.items_total) if phase.has_items else None


def _skipped_of_new_run(phase: Phase, cause: Cause) -> int:
    return 0 if phase.counted else phase.skipped


def _done_of_partial_run(phase: Phase, cause: Cause) -> int:
    return 0 if phase.counted else phase.done


def _failed_of_large_run(phase: Phase, cause: Cause) -> int:
    return 0 if phase.counted else phase.failed


def _waiting_of_large_run(phase: Phase, cause: Cause) -> int:
    return phase.waiting


def _next_due_of_large_run(phase: Phase, cause: Cause) -> datetime | None:
    return phase.next_due_at


def _wait_again(phase: Phase, cause: Cause) -> datetime | None:
    """Restart the wait for an announcement where there was one."""
    return None if phase.last_item_at is None else cause.now


def _whole_time(phase: Phase, cause: Cause) -> timedelta:
    return timedelta(seconds=phase.watermark_ttl)


def _time_left(phase: Phase, cause: Cause) -> timedelta | None:
    """Keep the rest of the time of a failed phase, so that a retry knows whether its watermark had passed."""
    if phase.deadline_at is None:
        return phase.deadline_left
    return max(phase.deadline_at - cause.now, timedelta())


def _time_again(phase: Phase, cause: Cause) -> timedelta | None:
    """Return the rest of the time, or all of it where the watermark had passed."""
    return None if phase.deadline_left is None else phase.deadline_left or _whole_time(phase, cause)


# --- the table ---------------------------------------------------------------------------------------

Columns = Mapping[str, Value]
_NO_DEADLINE: Columns = {"deadline_at": _is(None), "deadline_left": _is(None)}
_NOT_OVER: Columns = {
    "completed_by": _is(""),
    "partial": _is(False),
    "amending": _is(False),
    "completed_at": _is(None),
    "error": _is(""),
}
_NOT_MOVING: Columns = {"moving": _is(Moving.NONE), "moving_act": _is(None)}
_COMPLETED: Columns = {
    "status": _is(PhaseStatus.COMPLETED),
    "expected": _known_total,
    "completed_by": _completed_by,
    "partial": _partial,
    "completed_at": _now,
    "error": _is(""),
    **_NO_DEADLINE,
    **_NOT_MOVING,
}
_RESTARTED: Columns = {
    "run": _next_run,
    "status": _is(PhaseStatus.PENDING),
    "forced": _is(False),
    "expected": _total_of_new_run,
    "done": _is(0),
    "failed": _is(0),
    "skipped": _skipped_of_new_run,
    "processing": _is(0),
    "waiting": _is(0),
    "next_due_at": _is(None),
    "started_at": _is(None),
    "last_item_at": _wait_again,
    "waits_for_all": _is(False),
    **_NOT_OVER,
    **_NO_DEADLINE,
    **_NOT_MOVING,
}
TABLE: Mapping[Life, Columns] = {
    Life.BEGIN: {"status": _working, "started_at": _first_start},
    Life.LIST: {"expected": _given_total, "announced": _is(False)},
    Life.ADD_ITEMS: {"expected": _grown_total, "last_item_at": _now},
    Life.AWAIT_NEW: {"waits_for_all": _met_already},
    Life.CLOSE_LIST: {"expected": _listed_total, "announced": _is(False), "listed": _is(True)},
    Life.ANNOUNCE: {
        "expected": _announced_total,
        "announced": _is(True),
        "deadline_at": _is(None),
        "deadline_left": _whole_time,
        "waits_for_all": _still_waits_for_all,
    },
    Life.COMPLETE: _COMPLETED,
    Life.FORCE: {**_COMPLETED, "forced": _is(True)},
    Life.FAIL: {
        "status": _is(PhaseStatus.FAILED),
        "completed_by": _is(""),
        "partial": _is(False),
        "completed_at": _now,
        "error": _error,
        "deadline_at": _is(None),
        "deadline_left": _time_left,
        **_NOT_MOVING,
    },
    Life.CANCEL: {"status": _is(PhaseStatus.CANCELLED), **_NO_DEADLINE, **_NOT_MOVING},
    Life.MOVED: _NOT_MOVING,
    Life.GO_ON: {"status": _open_again, **_NOT_OVER, "deadline_at": _is(None), "deadline_left": _time_again},
    Life.REOPEN: {
        "run": _next_run,
        "status": _open_again,
        "announced": _is(False),
        **_NOT_OVER,
        **_NO_DEADLINE,
    },
    Life.RESTART: _RESTARTED,
    Life.RESTART_FAILED: {**_RESTARTED, "done": _done_of_partial_run},
    Life.RESTART_LARGE: {
        **_RESTARTED,
        "done": _done_of_partial_run,
        "failed": _failed_of_large_run,
        "waiting": _waiting_of_large_run,
        "next_due_at": _next_due_of_large_run,
    },
}


def apply(phase: Phase, event: Life, cause: Cause) -> None:
    """Set the columns of a phase that this event changes."""
    values = {column: value(phase, cause) for column, value in TABLE[event].items()}
    for column, value in values.items():
        setattr(phase, column, value)


def run_clock(phase: Phase, *, paused: bool, now: datetime) -> None:
    """Start or stop the deadline of an open phase, as its gate and its job are now.

    Behind a gate the whole time is kept, in a paused job the rest of it. Otherwise the deadline is a moment.
    """
    if not phase.is_open or (phase.deadline_at is None and phase.deadline_left is None):
        return
    if not phase.gate_open:
        phase.deadline_at, phase.deadline_left = None, timedelta(seconds=phase.watermark_ttl)
    elif paused and phase.deadline_at is not None:
        phase.deadline_left = max(phase.deadline_at - now, timedelta())
        phase.deadline_at = None
    elif not paused and phase.deadline_left is not None:
        phase.deadline_at, phase.deadline_left = now + phase.deadline_left, None
