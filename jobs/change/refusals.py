"""States in which a phase refuses a call: one table of calls, one code and one sentence for each state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from jobs.models import Job, Phase
from jobs.rules.errors import WrongState
from jobs.rules.statuses import RESTARTING, Held, PhaseStatus, Reason


class Call(Enum):
    """A kind of call to a phase, with its words in a refusal."""

    CLAIM = "claim is"
    REPORT = "report is"
    BEGIN = "new work is"
    START = "start is"
    COUNT = "count is"
    FINISH = "finish is"
    FAIL = "fail is"
    UPDATE = "progress is"
    ANNOUNCE = "announcement is"
    ADD = "new items are"
    REOPEN = "reopening for new items is"
    ADD_IMAGES = "new images are"
    RETRY = "retry is"
    SKIP = "skip is"
    RELEASE = "release is"
    RESTART = "restart is"


class State(StrEnum):
    """A state of a phase or of its job in which some calls are refused."""

    JOB_CANCELLED = "job_cancelled"
    FORCED = "forced"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    MOVING = "moving"
    RESTARTING = "restarting"
    GATED = "gated"
    PAUSED = "paused"


_FOR_GOOD = frozenset({State.JOB_CANCELLED, State.FORCED, State.CANCELLED})
_WORK = _FOR_GOOD | {State.FAILED, State.RESTARTING, State.GATED}
_OVER = _FOR_GOOD | {State.FAILED, State.COMPLETED}
STOPPED_BY: dict[Call, frozenset[State]] = {
    Call.CLAIM: _WORK | {State.PAUSED},
    Call.REPORT: _WORK,
    Call.BEGIN: _WORK | {State.PAUSED},
    Call.START: _WORK,
    Call.COUNT: _WORK,
    Call.FINISH: _WORK,
    Call.FAIL: _WORK | {State.COMPLETED},
    Call.UPDATE: _FOR_GOOD | {State.RESTARTING, State.GATED},
    Call.ANNOUNCE: _OVER,
    Call.ADD: _OVER,
    Call.REOPEN: _FOR_GOOD,
    Call.ADD_IMAGES: _OVER,
    Call.RETRY: _FOR_GOOD | {State.MOVING},
    Call.SKIP: _FOR_GOOD | {State.MOVING},
    Call.RELEASE: frozenset({State.MOVING}),
    Call.RESTART: frozenset({State.MOVING}),
}
_REASONS = {State.RESTARTING: Reason.GATED, State.GATED: Reason.GATED, State.PAUSED: Reason.PAUSED}
_ARE = {
    State.JOB_CANCELLED: "Job {job} is cancelled",
    State.FORCED: "Phase {phase} is force-completed and closed for good",
    State.CANCELLED: "Phase {phase} is cancelled and closed for good",
    State.FAILED: "Phase {phase} is failed",
    State.COMPLETED: "Phase {phase} is completed",
    State.MOVING: "Bulk act {act} moves the items of phase {phase} in portions",
    State.RESTARTING: "Phase {phase} is being restarted by bulk act {act}",
    State.GATED: "Phase {phase} is gated until every earlier phase has completed",
    State.PAUSED: "Job {job} is paused",
}
_WHEN = {
    State.JOB_CANCELLED: "only after a restart of one of its phases",
    State.FORCED: "only after a restart",
    State.CANCELLED: "only after a restart",
    State.FAILED: "while it is pending or processing: {way}",
    State.COMPLETED: "while it is pending or processing",
    State.MOVING: "when it is over or stopped",
    State.RESTARTING: "when all its items are pending again",
    State.GATED: "then",
    State.PAUSED: "once it is resumed",
}
_HINTS = {
    Call.ADD: ' Send "reopen": true to start a new run that keeps settled items.',
    Call.ADD_IMAGES: " Create a new session for them.",
}
# The most lasting state comes first: it is the one that a refusal names.
_HOLDS: dict[State, Callable[[Phase], bool]] = {
    State.JOB_CANCELLED: lambda phase: phase.job.held == Held.CANCELLED,
    State.FORCED: lambda phase: phase.forced,
    State.CANCELLED: lambda phase: phase.status == PhaseStatus.CANCELLED,
    State.FAILED: lambda phase: phase.status == PhaseStatus.FAILED,
    State.COMPLETED: lambda phase: phase.is_completed,
    State.MOVING: lambda phase: bool(phase.moving),
    State.RESTARTING: lambda phase: phase.moving in RESTARTING,
    State.GATED: lambda phase: not phase.gate_open,
    State.PAUSED: lambda phase: phase.job.held == Held.PAUSED,
}


@dataclass(frozen=True, slots=True)
class Closed:
    """A state that refuses a call: a code for programs and a sentence for people."""

    state: State
    reason: Reason
    sentence: str


def closed_to(phase: Phase, call: Call) -> Closed | None:
    """Return why this phase, whose job is loaded, refuses such a call; None where it accepts it."""
    stopping = STOPPED_BY[call]
    state = next((state for state, holds in _HOLDS.items() if state in stopping and holds(phase)), None)
    if state is None:
        return None
    return Closed(state, _REASONS.get(state, Reason.CLOSED), _sentence(phase, call, state))


def require_open(phase: Phase, call: Call) -> None:
    """Raise WrongState where the phase refuses such a call."""
    refused = closed_to(phase, call)
    if refused:
        raise WrongState(refused.sentence)


def require_without_items(phase: Phase, verb: str) -> None:
    """Raise WrongState where the phase has items."""
    if phase.has_items:
        raise WrongState(f"Phase {phase.code} has items; {verb} is for phases without items, report them instead.")


def not_cancelled(job: Job, act: str) -> None:
    """Raise WrongState where the job is cancelled, for an act on the job as a whole."""
    if job.held == Held.CANCELLED:
        raise WrongState(
            f"Job {job.name} is cancelled; {act} is possible while it is pending, processing, paused, failed or"
            " completed, so only after a restart of one of its phases."
        )


def _sentence(phase: Phase, call: Call, state: State) -> str:
    hint = _HINTS.get(call, "") if state in (State.FAILED, State.COMPLETED) else ""
    way = "retry its failed items or restart it" if phase.has_items else "only after a restart"
    sentence = _ARE[state].format(job=phase.job.name, phase=phase.code, act=phase.moving_act)
    return f"{sentence}; {call.value} possible {_WHEN[state].format(way=way)}.{hint}"
