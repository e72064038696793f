"""The life of a phase as a table: every event, every column that it may change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.change.fields import PHASE_FIELDS
from jobs.change.phase_life import TABLE, Cause, Life, apply, run_clock
from jobs.models import Job, Phase
from jobs.rules.statuses import CompletedBy

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEN = NOW - timedelta(hours=1)
SOON = NOW + timedelta(seconds=100)
REST = timedelta(seconds=40)
TTL = timedelta(seconds=900)

# Every column differs from what an event could set by accident.
BEFORE: dict[str, Any] = {
    "run": 3,
    "status": "failed",
    "forced": True,
    "announced": True,
    "listed": True,
    "counted": False,
    "waits_for_all": True,
    "expected": 9,
    "items_total": 12,
    "done": 4,
    "failed": 2,
    "skipped": 1,
    "processing": 1,
    "partial": True,
    "completed_by": "settled",
    "error": "no disk",
    "started_at": THEN,
    "completed_at": THEN,
    "deadline_at": SOON,
    "deadline_left": None,
    "last_item_at": THEN,
}
NOT_OVER = {"completed_by": "", "partial": False, "completed_at": None, "error": ""}
NO_DEADLINE = {"deadline_at": None, "deadline_left": None}
COMPLETED = {"status": "completed", "completed_by": "watermark", "partial": True, "completed_at": NOW, "error": "",
             **NO_DEADLINE}  # fmt: skip
NEW_RUN = {"run": 4, "status": "pending", "forced": False, "waits_for_all": False, "failed": 0, "processing": 0,
           "started_at": None, "last_item_at": NOW, **NOT_OVER, **NO_DEADLINE}  # fmt: skip


def phase(**columns: Any) -> Phase:
    """Make a phase in memory with these columns."""
    values = {**BEFORE, **columns}
    return Phase(job=Job(name="j"), code="p", watermark_ttl=900, threshold=100, **values)


def changed(event: Life, **columns: Any) -> dict[str, Any]:
    """Return the columns that an event changes, with their new values."""
    before = phase(**columns)
    after = phase(**columns)
    apply(after, event, Cause(NOW, by=CompletedBy.WATERMARK, error="why", total=20))
    return {name: getattr(after, name) for name in PHASE_FIELDS if getattr(after, name) != getattr(before, name)}


def without(values: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """Return the expected changes, less those that the phase has already."""
    have = {**BEFORE, **columns}
    return {name: value for name, value in values.items() if have.get(name) != value}


@pytest.mark.parametrize(
    ("event", "before", "expected"),
    [
        (Life.BEGIN, {"status": "pending", "started_at": None}, {"status": "processing", "started_at": NOW}),
        (Life.BEGIN, {"status": "processing"}, {}),
        (Life.BEGIN, {"status": "completed", "started_at": None}, {"started_at": NOW}),
        (Life.LIST, {"expected": None}, {"announced": False, "expected": 0}),
        (Life.LIST, {"expected": 9}, {"announced": False}),
        (Life.CLOSE_LIST, {"expected": None, "listed": False},
         {"announced": False, "expected": 12, "listed": True}),
        (Life.ADD_ITEMS, {"announced": False}, {"expected": 12, "last_item_at": NOW}),
        (Life.ADD_ITEMS, {"announced": False, "expected": 50}, {"last_item_at": NOW}),
        (Life.ADD_ITEMS, {"announced": False, "expected": None}, {"last_item_at": NOW}),
        (Life.ADD_ITEMS, {"announced": True}, {"last_item_at": NOW}),
        (Life.ANNOUNCE, {"announced": False, "expected": None},
         {"announced": True, "expected": 20, "deadline_at": None, "deadline_left": TTL, "waits_for_all": False}),
        (Life.ANNOUNCE, {"done": 20, "expected": None}, {"expected": 20, "deadline_at": None, "deadline_left": TTL}),
        (Life.AWAIT_NEW, {"waits_for_all": False}, {}),
        (Life.AWAIT_NEW, {"waits_for_all": True}, {"waits_for_all": False}),
        (Life.AWAIT_NEW, {"waits_for_all": False, "done": 8}, {"waits_for_all": True}),
        (Life.COMPLETE, {"status": "processing"}, COMPLETED),
        (Life.COMPLETE, {"done": 8, "failed": 0}, {**COMPLETED, "completed_by": "all_done", "partial": False}),
        (Life.COMPLETE, {"expected": None, "failed": 0},
         {**COMPLETED, "expected": 5, "completed_by": "all_done", "partial": False}),
        (Life.FORCE, {"forced": False, "expected": None}, {**COMPLETED, "forced": True, "expected": 7}),
        (Life.FAIL, {"status": "processing", "error": ""},
         {"status": "failed", "completed_by": "", "partial": False, "completed_at": NOW, "error": "why",
          "deadline_at": None, "deadline_left": timedelta(seconds=100)}),
        (Life.FAIL, {"deadline_at": THEN},
         {"completed_by": "", "partial": False, "completed_at": NOW, "error": "why", "deadline_at": None,
          "deadline_left": timedelta()}),
        (Life.FAIL, {"deadline_at": None},
         {"completed_by": "", "partial": False, "completed_at": NOW, "error": "why"}),
        (Life.CANCEL, {}, {"status": "cancelled", **NO_DEADLINE}),
        (Life.CANCEL, {"deadline_at": None, "deadline_left": REST}, {"status": "cancelled", **NO_DEADLINE}),
        (Life.GO_ON, {"deadline_at": None, "deadline_left": REST}, {"status": "processing", **NOT_OVER}),
        (Life.GO_ON, {"deadline_at": None, "deadline_left": timedelta()},
         {"status": "processing", **NOT_OVER, "deadline_left": TTL}),
        (Life.GO_ON, {"deadline_at": None, "started_at": None}, {"status": "pending", **NOT_OVER}),
        (Life.REOPEN, {}, {"run": 4, "status": "processing", "announced": False, **NOT_OVER, **NO_DEADLINE}),
        (Life.REOPEN, {"started_at": None, "deadline_at": None, "deadline_left": REST},
         {"run": 4, "status": "pending", "announced": False, **NOT_OVER, **NO_DEADLINE}),
        (Life.RESTART, {}, {**NEW_RUN, "done": 0}),
        (Life.RESTART, {"announced": False}, {**NEW_RUN, "done": 0, "expected": 12}),
        (Life.RESTART, {"announced": False, "listed": False, "items_total": 0, "counted": True},
         {**NEW_RUN, "done": 0, "skipped": 0, "expected": None}),
        (Life.RESTART, {"last_item_at": None}, {**NEW_RUN, "done": 0, "last_item_at": None}),
        (Life.RESTART_FAILED, {}, NEW_RUN),
        (Life.RESTART_FAILED, {"counted": True}, {**NEW_RUN, "done": 0, "skipped": 0}),
    ],
)  # fmt: skip
def test_an_event_sets_exactly_its_columns(event: Life, before: dict[str, Any], expected: dict[str, Any]) -> None:
    assert changed(event, **before) == without(expected, **before)


def test_every_event_is_in_the_table_and_sets_only_columns_that_a_change_writes() -> None:
    assert set(TABLE) == set(Life)
    assert {column for columns in TABLE.values() for column in columns} <= set(PHASE_FIELDS)


@pytest.mark.parametrize(
    ("gate_open", "paused", "deadline", "expected"),
    [
        (True, False, (SOON, None), (SOON, None)),
        (True, False, (None, REST), (NOW + REST, None)),
        (True, False, (None, timedelta()), (NOW, None)),
        (True, False, (None, None), (None, None)),
        (True, True, (SOON, None), (None, timedelta(seconds=100))),
        (True, True, (THEN, None), (None, timedelta())),
        (True, True, (None, REST), (None, REST)),
        (False, False, (SOON, None), (None, TTL)),
        (False, False, (None, REST), (None, TTL)),
        (False, True, (THEN, None), (None, TTL)),
        (False, False, (None, None), (None, None)),
    ],
)
def test_the_clock_runs_while_the_gate_is_open_and_the_job_is_not_paused(
    gate_open: bool, paused: bool, deadline: tuple[Any, Any], expected: tuple[Any, Any]
) -> None:
    waiting = phase(status="pending", gate_open=gate_open, deadline_at=deadline[0], deadline_left=deadline[1])
    run_clock(waiting, paused=paused, now=NOW)
    assert (waiting.deadline_at, waiting.deadline_left) == expected


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_the_clock_of_a_phase_that_is_over_stands_still(status: str) -> None:
    over = phase(status=status, gate_open=True, deadline_at=None, deadline_left=REST)
    run_clock(over, paused=False, now=NOW)
    assert (over.deadline_at, over.deadline_left) == (None, REST)
