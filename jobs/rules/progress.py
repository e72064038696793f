"""The arithmetic of progress: percent, threshold, judgement, status. Pure: no Django, no database.

All arguments are frozen dataclasses and all results plain numbers. Every number on a page, and every decision whether
a phase is over, comes from here. Integers and exact fractions only; a percent is floored once, at the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.rules.formatting import clip
from jobs.rules.limits import STAGE_LENGTH
from jobs.rules.statuses import (
    OPEN_PHASE,
    RESTARTING,
    CompletedBy,
    Held,
    JobStatus,
    Moving,
    PhaseStatus,
    Shortfall,
    Trigger,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters of one phase; `expected` is None before the announcement."""

    expected: int | None
    done: int = 0
    failed: int = 0
    skipped: int = 0
    processing: int = 0

    @property
    def processed(self) -> int:
        """Items that count as success: done and skipped."""
        return self.done + self.skipped

    @property
    def settled(self) -> int:
        """Items with an outcome: done, failed and skipped."""
        return self.done + self.failed + self.skipped


@dataclass(frozen=True, slots=True)
class PhaseState:
    """The state of a phase, as the rules need it."""

    counts: Counts
    status: PhaseStatus = PhaseStatus.PENDING
    weight: int = 100
    threshold: int = 100
    trigger: Trigger = Trigger.WHEN_SETTLED
    on_shortfall: Shortfall = Shortfall.PARTIAL
    gated: bool = False
    begun: bool = False
    waits_for_all: bool = False
    moving: Moving = Moving.NONE

    @property
    def is_open(self) -> bool:
        """True while the phase is neither completed nor failed nor cancelled."""
        return self.status in OPEN_PHASE


@dataclass(frozen=True, slots=True)
class Judgement:
    """The end of a phase: completed (with its cause, and partial where items are missing) or failed."""

    status: PhaseStatus
    completed_by: CompletedBy | None = None
    partial: bool = False


# --- percent -----------------------------------------------------------------------------------


def _floor_percent(part: int, expected: int | None, *, completed: bool) -> int | None:
    if expected is None:
        return None
    if expected == 0:
        return 100 if completed else 0
    return min(100, part * 100 // expected)


def percent(counts: Counts, *, completed: bool = False) -> int | None:
    """Compute floor((done + skipped) · 100 / expected), at most 100; None while expected is unknown."""
    return _floor_percent(counts.processed, counts.expected, completed=completed)


def settled_percent(counts: Counts, *, completed: bool = False) -> int | None:
    """Compute the percent with the failed items too: the hatched second segment of a bar."""
    return _floor_percent(counts.settled, counts.expected, completed=completed)


def pending(counts: Counts) -> int | None:
    """Compute the expected items without a worker and without an outcome; None while expected is unknown."""
    if counts.expected is None:
        return None
    return max(0, counts.expected - counts.settled - counts.processing)


def over_delivered(counts: Counts) -> bool:
    """Return whether more items are done than expected."""
    return counts.expected is not None and counts.done > counts.expected


def _share(state: PhaseState, part: int) -> tuple[int, int]:
    """Return the share of a phase as a fraction of two integers."""
    if state.status == PhaseStatus.COMPLETED:
        return 1, 1
    if not state.counts.expected:
        return 0, 1
    return min(part, state.counts.expected), state.counts.expected


def _weighted(states: Sequence[PhaseState], shares: Sequence[tuple[int, int]]) -> int:
    """Return the weighted mean in percent, exact until its floor."""
    weights = [state.weight for state in states]
    if not any(weights):
        weights = [1] * len(states)
    above, below = 0, 1
    for weight, (part, whole) in zip(weights, shares, strict=True):
        above, below = above * whole + weight * part * below, below * whole
    return above * 100 // (below * sum(weights)) if weights else 0


def job_percent(states: Sequence[PhaseState]) -> int:
    """Compute the percent of a job: one floor over the exact weighted shares of its phases.

    A completed phase counts as 100, an unknown total as 0; weights that are all 0 count as equal.
    """
    return _weighted(states, [_share(state, state.counts.processed) for state in states])


@dataclass(frozen=True, slots=True)
class Share:
    """Reached shares of a job in percent, whatever completed its phases: successes, and successes with failures."""

    percent: int
    settled_percent: int


def job_share(phases: Sequence[tuple[Counts, int, bool]]) -> Share:
    """Compute the share of a job from the counts, the weight and the completion of each phase.

    Other than `job_percent` it counts a phase that completed with 17 of 20 as 85, not as 100.
    """
    states = [
        PhaseState(counts=counts, weight=weight, status=_status_for_share(counts, completed))
        for counts, weight, completed in phases
    ]
    return Share(job_percent(states), job_settled_percent(states))


def _status_for_share(counts: Counts, completed: bool) -> PhaseStatus:
    """Return `completed` only for a phase that needs no items, so that every other phase counts its items."""
    return PhaseStatus.COMPLETED if completed and not counts.expected else PhaseStatus.PROCESSING


def job_settled_percent(states: Sequence[PhaseState]) -> int:
    """Compute the percent of a job with failed items too."""
    return _weighted(states, [_share(state, state.counts.settled) for state in states])


# --- threshold and judgement -------------------------------------------------------------------


def needed(expected: int | None, threshold: int) -> int | None:
    """Compute the successes that complete `expected` items at `threshold` percent; None while unknown."""
    return None if expected is None else -(-expected * threshold // 100)


def threshold_met(counts: Counts, threshold: int) -> bool:
    """Return whether (done + skipped) · 100 ≥ expected · threshold; False while expected is unknown."""
    return counts.expected is not None and counts.processed * 100 >= counts.expected * threshold


def threshold_reachable(counts: Counts, threshold: int) -> bool:
    """Return whether the open items can still meet the threshold in spite of the failed ones."""
    if counts.expected is None:
        return True
    return (counts.expected - counts.failed) * 100 >= counts.expected * threshold


def completion(counts: Counts, *, by: CompletedBy) -> Judgement:
    """Return the judgement of a completed phase; all_done replaces `by` where nothing is missing."""
    missing = counts.expected is not None and counts.processed < counts.expected
    return Judgement(PhaseStatus.COMPLETED, by if missing else CompletedBy.ALL_DONE, missing)


def judge(state: PhaseState, *, deadline_passed: bool = False) -> Judgement | None:
    """Judge whether this open phase is over, and how; None where it continues.

    With `at_threshold` it is over as soon as the threshold is met (unless it `waits_for_all`). With either trigger it
    is over when every expected item is settled or the watermark has passed. Without the threshold met that is a
    shortfall: completed as partial, or failed. Settled without a single success it has failed in any case. While an
    act moves its items in portions, nothing is over.
    """
    counts = state.counts
    if counts.expected is None or state.moving:
        return None
    settled = counts.settled >= counts.expected
    if settled and counts.failed and not counts.processed:
        return Judgement(PhaseStatus.FAILED)
    met = threshold_met(counts, state.threshold)
    if state.trigger == Trigger.AT_THRESHOLD and met and not state.waits_for_all:
        return completion(counts, by=CompletedBy.THRESHOLD)
    if not settled and not deadline_passed:
        return None
    if met or state.on_shortfall == Shortfall.PARTIAL:
        return completion(counts, by=CompletedBy.SETTLED if settled else CompletedBy.WATERMARK)
    return Judgement(PhaseStatus.FAILED)


# --- the job as a whole ------------------------------------------------------------------------


def gates(states: Sequence[PhaseState]) -> list[bool]:
    """Return for each phase, in order, whether its gate is open: a gated one needs all earlier ones completed.

    The gate of a phase is closed too while it still has items of the run before a restart.
    """
    answer, all_completed = [], True
    for state in states:
        answer.append((all_completed or not state.gated) and state.moving not in RESTARTING)
        all_completed = all_completed and state.status == PhaseStatus.COMPLETED
    return answer


def _can_go_on(states: Sequence[PhaseState]) -> bool:
    """Return whether any phase is open, and behind no gate that can never open."""
    blocked = False
    for state in states:
        if state.is_open and not (state.gated and blocked):
            return True
        blocked = blocked or state.status != PhaseStatus.COMPLETED
    return False


def job_status(states: Sequence[PhaseState], held: str = "") -> JobStatus:
    """Derive the status of a job from its phases and from the operator's hold; the first match wins."""
    statuses = {state.status for state in states}
    if statuses <= {PhaseStatus.COMPLETED}:
        return JobStatus.COMPLETED
    if held in (Held.CANCELLED, Held.PAUSED):
        return JobStatus(held)
    if not _can_go_on(states):
        return JobStatus.FAILED if PhaseStatus.FAILED in statuses else JobStatus.CANCELLED
    return JobStatus.PROCESSING if any(state.begun for state in states) else JobStatus.PENDING


# --- sentences ---------------------------------------------------------------------------------

_FIELD = re.compile(r"\{(done|failed|skipped|processed|settled|expected)\}")
_RESTARTING_STAGE = "Restarting, {done} done items of the last run"
_FINISHED_STAGE = {
    JobStatus.COMPLETED: "Completed",
    JobStatus.FAILED: "Failed",
    JobStatus.CANCELLED: "Cancelled",
}


def stage(template: str, counts: Counts) -> str:
    """Fill in the stage of a phase: `Processing chunk {done}/{expected}` → `Processing chunk 5/17`.

    An unknown total reads `?`, and large numbers have separators. The stage ends in ` · 1 failed` while items are
    failed, and is cut to STAGE_LENGTH characters.
    """
    sentence = _FIELD.sub(lambda field: _grouped(getattr(counts, field[1])), template)
    ending = f" · {_grouped(counts.failed)} failed" if counts.failed else ""
    return clip(sentence, STAGE_LENGTH - len(ending)) + ending


def _grouped(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def job_stage(status: JobStatus, phases: Sequence[tuple[PhaseState, str]]) -> str:
    """Return the stage of a job: of its first unfinished phase that has begun, else of its first unfinished one.

    A paused job without unfinished phases has failed: with all completed it would be completed.
    """
    if status in _FINISHED_STAGE:
        return _FINISHED_STAGE[status]
    unfinished = [(state, template) for state, template in phases if state.is_open]
    begun = [(state, template) for state, template in unfinished if state.begun]
    for state, template in begun + unfinished:
        return stage(_RESTARTING_STAGE if state.moving in RESTARTING else template, state.counts)
    return _FINISHED_STAGE[JobStatus.FAILED]
