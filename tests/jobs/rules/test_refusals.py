"""Refusals of a phase: one code and one sentence, the same in every call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.change.item_columns import CLEARED, EXPIRED, RENEWED, TAKEN_BACK
from jobs.change.refusals import STOPPED_BY, Call, State, closed_to
from jobs.models import Job, Phase

ROOT = Path(__file__).resolve().parents[3]
STATES: dict[State, dict[str, Any]] = {
    State.JOB_CANCELLED: {"held": "cancelled"},
    State.FORCED: {"forced": True, "status": "completed"},
    State.CANCELLED: {"status": "cancelled"},
    State.FAILED: {"status": "failed"},
    State.COMPLETED: {"status": "completed"},
    State.MOVING: {"moving": "retry", "moving_act": 7},
    State.RESTARTING: {"moving": "restart", "moving_act": 7},
    State.GATED: {"gate_open": False},
    State.PAUSED: {"held": "paused"},
}
MOVING = {"moving", "restarting"}
WORK = {"job_cancelled", "forced", "cancelled", "failed", "restarting", "gated"}
OVER = {"job_cancelled", "forced", "cancelled", "failed", "completed"}
FOR_GOOD = {"job_cancelled", "forced", "cancelled"}


def phase_in(state: State | None) -> Phase:
    """Make a phase in memory that is open, or in this state."""
    columns = {"status": "processing", "gate_open": True, "held": "", **(STATES[state] if state else {})}
    return Phase(job=Job(name="j", held=columns.pop("held")), code="ocr", listed=True, **columns)


@pytest.mark.parametrize(
    ("call", "stopped_by"),
    [
        (Call.CLAIM, WORK | {"paused"}),
        (Call.BEGIN, WORK | {"paused"}),
        (Call.REPORT, WORK),
        (Call.START, WORK),
        (Call.COUNT, WORK),
        (Call.FINISH, WORK),
        (Call.FAIL, WORK | {"completed"}),
        (Call.UPDATE, FOR_GOOD | {"restarting", "gated"}),
        (Call.ANNOUNCE, OVER),
        (Call.ADD, OVER),
        (Call.ADD_IMAGES, OVER),
        (Call.REOPEN, FOR_GOOD),
        (Call.RETRY, FOR_GOOD | MOVING),
        (Call.SKIP, FOR_GOOD | MOVING),
        (Call.RELEASE, MOVING),
        (Call.RESTART, MOVING),
    ],
)
def test_each_call_is_stopped_by_exactly_these_states(call: Call, stopped_by: set[str]) -> None:
    assert {str(state) for state in State if closed_to(phase_in(state), call)} == stopped_by
    assert closed_to(phase_in(None), call) is None


def test_every_call_is_in_the_table() -> None:
    assert set(STOPPED_BY) == set(Call)


@pytest.mark.parametrize(
    ("state", "reason", "sentence"),
    [
        ("job_cancelled", "closed", "Job j is cancelled; {} only after a restart of one of its phases."),
        ("forced", "closed", "Phase ocr is force-completed and closed for good; {} only after a restart."),
        ("cancelled", "closed", "Phase ocr is cancelled and closed for good; {} only after a restart."),
        (
            "failed",
            "closed",
            "Phase ocr is failed; {} while it is pending or processing: retry its failed items or restart it.",
        ),
        ("restarting", "gated", "Phase ocr is being restarted by bulk act 7; {} when all its items are pending again."),
        ("gated", "gated", "Phase ocr is gated until every earlier phase has completed; {} then."),
        ("paused", "paused", "Job j is paused; {} once it is resumed."),
    ],
)
def test_the_sentence_names_the_state_and_when_the_call_is_possible(state: str, reason: str, sentence: str) -> None:
    closed = closed_to(phase_in(State(state)), Call.CLAIM)
    assert closed is not None
    assert (closed.reason, closed.sentence) == (reason, sentence.format("claim is possible"))


def test_what_lasts_longest_is_said_first() -> None:
    phase = phase_in(State.GATED)
    phase.job.held, phase.forced = "cancelled", True
    closed = closed_to(phase, Call.CLAIM)
    assert closed is not None
    assert closed.state == State.JOB_CANCELLED


def test_an_item_that_is_taken_back_has_one_set_of_columns() -> None:
    assert set(EXPIRED) == {"status", "lease_seconds", "lease_expires_at", "started_at"}
    assert set(TAKEN_BACK) - set(EXPIRED) == {"attempt"}
    assert set(CLEARED) - set(TAKEN_BACK) == {"error", "signature", "result", "checksum", "finished_at", "available_at"}
    assert set(RENEWED) - set(CLEARED) == {"tries", "failures"}


def test_the_log_of_acts_is_written_in_one_module() -> None:
    sources = [path for app in ("jobs", "ocr_chunks", "training") for path in (ROOT / app).rglob("*.py")]
    writers = [path.relative_to(ROOT).as_posix() for path in sources if "LogEntry.objects.create" in path.read_text()]
    assert writers == ["jobs/change/audit.py"]
