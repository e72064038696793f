"""The arithmetic of progress: percent, threshold, judgement."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.rules import progress
from jobs.rules.progress import Counts, Judgement, PhaseState
from jobs.rules.statuses import CompletedBy, PhaseStatus, Shortfall, Trigger

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
PENDING, PROCESSING, COMPLETED, FAILED, CANCELLED = PhaseStatus


def phase(
    expected: int | None = 10,
    done: int = 0,
    failed: int = 0,
    skipped: int = 0,
    *,
    status: PhaseStatus = PENDING,
    weight: int = 100,
    threshold: int = 100,
    trigger: Trigger = Trigger.WHEN_SETTLED,
    on_shortfall: Shortfall = Shortfall.PARTIAL,
    gated: bool = False,
    begun: bool = False,
) -> PhaseState:
    counts = Counts(expected, done, failed, skipped)
    return PhaseState(counts, status, weight, threshold, trigger, on_shortfall, gated, begun)


# --- percent -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "done", "failed", "skipped", "percent", "settled"),
    [
        (17, 10, 1, 0, 58, 64),
        (17, 5, 0, 0, 29, 29),
        (666, 331, 0, 335, 100, 100),
        (17, 17, 0, 0, 100, 100),
        (10, 6, 0, 0, 60, 60),
        (3, 2, 0, 0, 66, 66),
        (1000, 999, 1, 0, 99, 100),
        (100, 120, 5, 0, 100, 100),
        (0, 0, 0, 0, 0, 0),
        (2**53, 2**53 - 1, 0, 0, 99, 99),
    ],
)
def test_percent_is_the_floor_of_successes_and_never_above_100(
    expected: int, done: int, failed: int, skipped: int, percent: int, settled: int
) -> None:
    counts = Counts(expected, done, failed, skipped)
    assert (progress.percent(counts), progress.settled_percent(counts)) == (percent, settled)


def test_percent_is_unknown_while_the_total_is_unknown() -> None:
    counts = Counts(None, done=5)
    assert (progress.percent(counts), progress.settled_percent(counts), progress.pending(counts)) == (None, None, None)


def test_percent_of_a_completed_phase_of_nothing_is_100() -> None:
    assert progress.percent(Counts(0), completed=True) == 100


@pytest.mark.parametrize(
    ("counts", "pending"),
    [
        (Counts(17, 10, 1, 0, 1), 5),
        (Counts(10, 10), 0),
        (Counts(10, 12), 0),
        (Counts(10, 0, 0, 0, 12), 0),
        (Counts(4, 0, 0, 0, 4), 0),
    ],
)
def test_pending_is_what_nobody_holds_and_nothing_settled_and_never_below_0(counts: Counts, pending: int) -> None:
    assert progress.pending(counts) == pending


@pytest.mark.parametrize(("done", "flag"), [(9, False), (10, False), (11, True)])
def test_more_done_than_expected_is_over_delivery(done: int, flag: bool) -> None:
    assert progress.over_delivered(Counts(10, done)) is flag


@pytest.mark.parametrize(
    ("phases", "percent"),
    [
        ([phase(100, 50, weight=30), phase(100, weight=65), phase(None, weight=5)], 15),
        ([phase(100, 100, weight=30, status=COMPLETED), phase(1000, 500, weight=65), phase(None, weight=5)], 62),
        (
            [
                phase(9, 9, weight=30, status=COMPLETED),
                phase(9, 9, weight=65, status=COMPLETED),
                phase(None, weight=5),
            ],
            95,
        ),
        ([phase(666, 331, 0, 335, weight=30, status=COMPLETED), phase(666, weight=65), phase(None, weight=5)], 30),
        ([phase(20, 18, status=COMPLETED, threshold=90)], 100),
        ([phase(3, 1, weight=0), phase(3, 1, weight=0)], 33),
        ([phase(3, 1), phase(3, 1), phase(3, 1)], 33),
        ([phase(17, 17, status=COMPLETED), phase(1, weight=0, gated=True)], 100),
        ([phase(None), phase(None)], 0),
        ([phase(10, 20), phase(10, 0)], 50),
        ([phase(0), phase(10, 10, status=COMPLETED)], 50),
        ([phase(10, 5, 1, status=FAILED), phase(10, 0)], 25),
        ([], 0),
    ],
)
def test_percent_of_a_job_is_one_floor_over_the_weighted_parts(phases: list[PhaseState], percent: int) -> None:
    assert progress.job_percent(phases) == percent


def test_percent_of_a_job_is_floored_once_and_not_per_phase() -> None:
    """Two thirds and one third are a half, though each alone would lose its fraction."""
    assert progress.job_percent([phase(3, 2), phase(3, 1)]) == 50


def test_settled_percent_of_a_job_counts_failures_too() -> None:
    states = [phase(10, 4, 2), phase(10, 0, 2)]
    assert (progress.job_percent(states), progress.job_settled_percent(states)) == (20, 40)


# --- threshold ---------------------------------------------------------------------------------------

NEEDED_AT_90 = [
    (1, 1), (2, 2), (3, 3), (7, 7), (9, 9), (10, 9), (11, 10), (19, 18), (20, 18), (21, 19), (333, 300), (1000, 900),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "needed"), NEEDED_AT_90)
def test_needed_is_the_smallest_number_that_meets_the_threshold(expected: int, needed: int) -> None:
    assert progress.needed(expected, 90) == needed
    assert progress.threshold_met(Counts(expected, needed), 90)
    assert not progress.threshold_met(Counts(expected, needed - 1), 90)


def test_needed_is_unknown_while_the_total_is_unknown() -> None:
    assert progress.needed(None, 90) is None


@pytest.mark.parametrize(
    ("counts", "threshold", "met"),
    [
        (Counts(20, 17), 90, False),
        (Counts(20, 18), 90, True),
        (Counts(20, 10, 0, 8), 90, True),
        (Counts(20, 17, 3), 90, False),
        (Counts(10, 8), 80, True),
        (Counts(100, 74), 75, False),
        (Counts(100, 75), 75, True),
        (Counts(10), 0, True),
        (Counts(0), 100, True),
        (Counts(None, 100), 0, False),
        (Counts(1_000_000, 1_000_000), 100, True),
        (Counts(1_000_000, 999_999), 100, False),
    ],
)
def test_threshold_is_met_by_successes_in_integers(counts: Counts, threshold: int, met: bool) -> None:
    assert progress.threshold_met(counts, threshold) is met


# --- judgement ---------------------------------------------------------------------------------------

AT, WHEN = Trigger.AT_THRESHOLD, Trigger.WHEN_SETTLED
PARTIAL, FAIL = Shortfall.PARTIAL, Shortfall.FAIL


def completed(by: CompletedBy, *, partial: bool) -> Judgement:
    return Judgement(COMPLETED, by, partial)


ALL_DONE = completed(CompletedBy.ALL_DONE, partial=False)
BY_THRESHOLD = completed(CompletedBy.THRESHOLD, partial=True)
BY_SETTLED = completed(CompletedBy.SETTLED, partial=True)
BY_WATERMARK = completed(CompletedBy.WATERMARK, partial=True)
FAILURE = Judgement(FAILED)


@pytest.mark.parametrize(
    ("trigger", "shortfall", "counts", "passed", "judgement"),
    [
        (AT, PARTIAL, (20, 17), False, None),
        (AT, PARTIAL, (20, 18), False, BY_THRESHOLD),
        (AT, PARTIAL, (20, 17, 3), False, BY_SETTLED),
        (AT, FAIL, (20, 17, 3), False, FAILURE),
        (AT, PARTIAL, (20, 20), False, ALL_DONE),
        (AT, PARTIAL, (20, 8), True, BY_WATERMARK),
        (AT, FAIL, (20, 8), True, FAILURE),
        (AT, PARTIAL, (0,), False, ALL_DONE),
        (AT, PARTIAL, (None, 100), False, None),
        (AT, PARTIAL, (None, 100), True, None),
        (WHEN, PARTIAL, (20, 18), False, None),
        (WHEN, PARTIAL, (20, 19), False, None),
        (WHEN, PARTIAL, (20, 18, 1, 1), False, BY_SETTLED),
        (WHEN, PARTIAL, (20, 2, 18), False, BY_SETTLED),
        (WHEN, PARTIAL, (20, 10, 0, 10), False, ALL_DONE),
        (WHEN, PARTIAL, (20, 20), False, ALL_DONE),
        (WHEN, PARTIAL, (20, 19), True, BY_WATERMARK),
        (WHEN, FAIL, (20, 18, 2), False, BY_SETTLED),
        (WHEN, FAIL, (20, 17, 3), False, FAILURE),
        (WHEN, FAIL, (20, 18), True, BY_WATERMARK),
        (WHEN, FAIL, (20, 17), True, FAILURE),
        (WHEN, FAIL, (0,), False, ALL_DONE),
        (WHEN, FAIL, (None, 5), True, None),
        (WHEN, PARTIAL, (10, 12), False, ALL_DONE),
        (WHEN, PARTIAL, (10, 8, 4), False, BY_SETTLED),
        (WHEN, PARTIAL, (10, 0, 10), False, FAILURE),
        (WHEN, PARTIAL, (10, 0, 9), True, BY_WATERMARK),
        (AT, PARTIAL, (10, 0, 9, 1), False, BY_SETTLED),
    ],
)
def test_a_phase_is_over_at_its_threshold_or_when_all_is_settled_or_the_watermark_passes(
    trigger: Trigger, shortfall: Shortfall, counts: tuple[int, ...], passed: bool, judgement: Judgement | None
) -> None:
    state = phase(*counts, threshold=90, trigger=trigger, on_shortfall=shortfall)
    assert progress.judge(state, deadline_passed=passed) == judgement


def test_threshold_0_completes_at_threshold_with_nothing_done() -> None:
    assert progress.judge(phase(10, threshold=0, trigger=AT)) == BY_THRESHOLD
    assert progress.judge(phase(10, threshold=0, trigger=WHEN)) is None


@pytest.mark.parametrize("trigger", [*Trigger])
def test_nothing_succeeded_is_a_failure_even_at_threshold_0(trigger: Trigger) -> None:
    assert progress.judge(phase(10, 0, 10, threshold=0, trigger=trigger)) == FAILURE
