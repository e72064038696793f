"""Percent, threshold and judgement of one phase, for every number: checked against exact fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from jobs.rules import progress
from jobs.rules.progress import Counts, Judgement, PhaseState
from jobs.rules.statuses import CompletedBy, PhaseStatus, Shortfall, Trigger
from tests.jobs.properties.strategies import NUMBER, THRESHOLD, counts, states

pytestmark = pytest.mark.full


def exact_percent(part: int, expected: int) -> int:
    """Compute the percent as a fraction, floored at the end."""
    return min(100, floor(Fraction(part * 100, expected)))


# --- percent and threshold -----------------------------------------------------------------------


@given(counts(), st.booleans())
def test_a_percent_is_unknown_exactly_while_the_total_is(c: Counts, completed: bool) -> None:
    assert (progress.percent(c, completed=completed) is None) == (c.expected is None)
    assert (progress.settled_percent(c, completed=completed) is None) == (c.expected is None)
    assert (progress.pending(c) is None) == (c.expected is None)


@given(counts(known=True), st.booleans())
def test_a_percent_lies_between_0_and_100_and_the_settled_one_is_never_lower(c: Counts, completed: bool) -> None:
    percent = progress.percent(c, completed=completed) or 0
    assert 0 <= percent <= (progress.settled_percent(c, completed=completed) or 0) <= 100


@given(counts(known=True))
@example(Counts(17, done=10, failed=1))
@example(Counts(666, done=331, skipped=335))
def test_a_percent_is_the_exact_fraction_floored_once(c: Counts) -> None:
    assume(c.expected)
    assert c.expected is not None
    assert progress.percent(c) == exact_percent(c.done + c.skipped, c.expected)
    assert progress.settled_percent(c) == exact_percent(c.done + c.failed + c.skipped, c.expected)


@given(counts(known=True))
def test_100_percent_is_shown_only_when_nothing_is_missing(c: Counts) -> None:
    assume(c.expected)
    assert (progress.percent(c) == 100) == (c.processed >= (c.expected or 0))


@given(counts(known=True), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_a_percent_never_falls_when_more_is_settled(c: Counts, done: int, failed: int, skipped: int) -> None:
    more = replace(c, done=c.done + done, failed=c.failed + failed, skipped=c.skipped + skipped)
    assert (progress.percent(more) or 0) >= (progress.percent(c) or 0)
    assert (progress.settled_percent(more) or 0) >= (progress.settled_percent(c) or 0)


@given(counts(known=True), st.integers(1, 1000))
def test_a_percent_never_rises_when_the_total_does(c: Counts, more: int) -> None:
    assume(c.expected)
    larger = replace(c, expected=(c.expected or 0) + more)
    assert (progress.percent(larger) or 0) <= (progress.percent(c) or 0)


@given(counts(known=True), THRESHOLD)
def test_a_threshold_is_met_exactly_as_fractions_say(c: Counts, threshold: int) -> None:
    exact = Fraction(c.processed) >= Fraction(c.expected or 0) * Fraction(threshold, 100)
    assert progress.threshold_met(c, threshold) == exact


@given(NUMBER, THRESHOLD)
@example(10, 90)
@example(2**53, 99)
def test_needed_is_the_least_number_that_meets_the_threshold(expected: int, threshold: int) -> None:
    needed = progress.needed(expected, threshold)
    assert needed == ceil(Fraction(expected * threshold, 100))
    assert needed is not None
    assert progress.threshold_met(Counts(expected, done=needed), threshold)
    assert needed == 0 or not progress.threshold_met(Counts(expected, done=needed - 1), threshold)
    assert needed <= expected


@given(counts(), THRESHOLD, st.integers(0, 100))
def test_a_lower_threshold_is_met_whenever_a_higher_one_is(c: Counts, threshold: int, less: int) -> None:
    assume(progress.threshold_met(c, threshold))
    assert progress.threshold_met(c, max(0, threshold - less))


@given(counts(), THRESHOLD)
def test_nothing_is_met_and_everything_reachable_while_the_total_is_unknown(c: Counts, threshold: int) -> None:
    unknown = replace(c, expected=None)
    assert not progress.threshold_met(unknown, threshold)
    assert progress.threshold_reachable(unknown, threshold)
    assert progress.needed(None, threshold) is None


@given(st.integers(0, 1000), st.data())
def test_a_threshold_is_reachable_exactly_when_the_open_items_could_meet_it(expected: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, expected))
    done = data.draw(st.integers(0, expected - failed))
    threshold = data.draw(THRESHOLD)
    c = Counts(expected, done=done, failed=failed)
    best = Counts(expected, done=expected - failed, failed=failed)
    assert progress.threshold_reachable(c, threshold) == progress.threshold_met(best, threshold)


@given(counts(known=True))
def test_what_is_pending_settled_and_held_makes_the_total_unless_over_delivered(c: Counts) -> None:
    pending = progress.pending(c)
    assert pending is not None
    assert pending >= 0
    assert pending + c.settled + c.processing == max(c.expected or 0, c.settled + c.processing)
    assert progress.over_delivered(c) == (c.done > (c.expected or 0))


# --- judgement -------------------------------------------------------------------------------------


def judgement_by_the_rules(state: PhaseState, *, deadline_passed: bool) -> Judgement | None:
    """Judge by the rules of finishing, written a second time."""
    c = state.counts
    if c.expected is None:
        return None
    met = Fraction(c.processed * 100) >= c.expected * state.threshold
    settled = c.settled >= c.expected
    early = state.trigger == Trigger.AT_THRESHOLD and met
    if settled and c.failed and not c.processed:
        return Judgement(PhaseStatus.FAILED)
    if not (early or settled or deadline_passed):
        return None
    if not met and state.on_shortfall == Shortfall.FAIL:
        return Judgement(PhaseStatus.FAILED)
    missing = c.processed < c.expected
    why = CompletedBy.THRESHOLD if early else CompletedBy.SETTLED if settled else CompletedBy.WATERMARK
    return Judgement(PhaseStatus.COMPLETED, why if missing else CompletedBy.ALL_DONE, missing)


@given(states(), st.booleans())
def test_a_phase_is_judged_as_the_rules_say(state: PhaseState, deadline_passed: bool) -> None:
    judged = progress.judge(state, deadline_passed=deadline_passed)
    assert judged == judgement_by_the_rules(state, deadline_passed=deadline_passed)


@given(states(), st.booleans())
def test_no_phase_is_over_while_its_total_is_unknown(state: PhaseState, deadline_passed: bool) -> None:
    unknown = replace(state, counts=replace(state.counts, expected=None))
    assert progress.judge(unknown, deadline_passed=deadline_passed) is None


@given(states())
def test_once_the_deadline_has_passed_every_announced_phase_is_over(state: PhaseState) -> None:
    assume(state.counts.expected is not None)
    assert progress.judge(state, deadline_passed=True) is not None


@given(states(), st.integers(0, 50))
def test_what_has_completed_stays_completed_when_more_gets_done(state: PhaseState, more: int) -> None:
    judged = progress.judge(state)
    assume(judged is not None and judged.status == PhaseStatus.COMPLETED)
    later = progress.judge(replace(state, counts=replace(state.counts, done=state.counts.done + more)))
    assert later is not None
    assert later.status == PhaseStatus.COMPLETED


@given(states(), st.booleans())
def test_partial_means_that_something_is_missing_and_all_done_that_nothing_is(
    state: PhaseState, deadline_passed: bool
) -> None:
    judged = progress.judge(state, deadline_passed=deadline_passed)
    assume(judged is not None and judged.status == PhaseStatus.COMPLETED)
    assert judged is not None
    assert judged.partial == (state.counts.processed < (state.counts.expected or 0))
    assert judged.partial != (judged.completed_by == CompletedBy.ALL_DONE)


@given(states())
def test_a_failed_phase_has_not_met_its_threshold_or_has_no_success(state: PhaseState) -> None:
    judged = progress.judge(state, deadline_passed=True)
    assume(judged is not None and judged.status == PhaseStatus.FAILED)
    without_success = state.counts.failed and not state.counts.processed
    assert without_success or not progress.threshold_met(state.counts, state.threshold)
    assert without_success or state.on_shortfall == Shortfall.FAIL
