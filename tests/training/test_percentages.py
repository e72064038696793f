"""The percentages of the unified answer: exact, half up, and 100 for what is completed alone."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.percentages import Part, overall, percentage, share
from training.sessions.pipeline import PHASES

WEIGHTS = [phase.weight for phase in PHASES]


@st.composite
def parts(draw: st.DrawFn, *, weight: int | None = None) -> Part:
    """A part, as a phase can be: also with more done than expected, or with nothing expected."""
    total = draw(st.none() | st.integers(0, 2000) | st.integers(0, 2**53))
    current = draw(st.integers(0, 2000) | st.integers(0, 2**53))
    return Part(current, total, draw(st.booleans()), draw(st.integers(0, 100)) if weight is None else weight)


three = st.tuples(*[parts(weight=weight) for weight in WEIGHTS])


def hundredths(exact: Fraction) -> Decimal:
    """A share as a percent of two decimals, as people round."""
    percent = exact * 100
    quotient = Decimal(percent.numerator * 10**30 // percent.denominator) / Decimal(10**30)
    return quotient.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def part(current: int, total: int | None, *, completed: bool = False) -> Part:
    return Part(current, total, completed)


@pytest.mark.parametrize(
    ("current", "total", "expected"),
    [
        (0, 666, 0.0),
        (331, 666, 49.7),
        (1, 3, 33.33),
        (2, 3, 66.67),
        (1, 800, 0.13),
        (1, 80_000, 0.0),
        (1, 20_000, 0.01),
        (999_999, 1_000_000, 99.99),
        (665, 666, 99.85),
        (666, 666, 99.99),
        (700, 666, 99.99),
        (5, None, 0.0),
        (0, 0, 0.0),
        (5, 0, 0.0),
    ],
)
def test_a_part_that_is_open_has_two_decimals_half_up_and_at_most_99_99(
    current: int, total: int | None, expected: float
) -> None:
    assert percentage(part(current, total)) == expected


@pytest.mark.parametrize(("current", "total"), [(666, 666), (600, 666), (0, 0), (3, None)])
def test_a_completed_part_is_100(current: int, total: int | None) -> None:
    assert percentage(part(current, total, completed=True)) == 100.0


def test_weights_sum_to_100() -> None:
    assert WEIGHTS == [30, 65, 5]
    assert sum(WEIGHTS) == 100


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([(50, 100), (0, 100), (0, None)], 15.0),
        ([(666, 666, True), (16, 666), (0, None)], 31.56),
        ([(1000, 1000, True), (500, 1000), (0, None)], 62.5),
        ([(9, 10, True), (10, 10, True), (0, None)], 95.0),
        ([(9, 10, True), (10, 10, True), (1, 3)], 96.67),
        ([(9, 10, True), (10, 10, True), (3, 3)], 99.99),
        ([(9, 10, True), (10, 10, True), (0, 0, True)], 100.0),
        ([(0, None), (0, None), (0, None)], 0.0),
    ],
)
def test_the_whole_is_weighted_from_what_is_not_rounded(shares: list[tuple[int, ...]], expected: float) -> None:
    whole = [
        Part(one[0], one[1], completed=len(one) > 2, weight=weight) for one, weight in zip(shares, WEIGHTS, strict=True)
    ]
    assert overall(whole) == expected


def test_of_nothing_that_weighs_something_nothing_is_done() -> None:
    assert overall([Part(5, 10, completed=False, weight=0)]) == 0.0


@given(parts())
def test_a_percentage_is_the_share_as_people_round_it(one: Part) -> None:
    shown = percentage(one)
    if one.completed:
        assert shown == 100.0
    else:
        assert Decimal(str(shown)) == min(hundredths(share(one)), Decimal("99.99"))


@given(three)
def test_the_whole_is_100_exactly_when_nothing_is_open(whole: tuple[Part, ...]) -> None:
    shown = overall(whole)
    assert (shown == 100.0) == all(one.completed for one in whole)
    assert 0.0 <= shown <= 100.0
    assert round(shown, 2) == shown


@given(three, st.integers(0, 2), st.integers(0, 100))
def test_more_work_never_makes_the_whole_less(whole: tuple[Part, ...], place: int, more: int) -> None:
    grown = list(whole)
    old = grown[place]
    grown[place] = Part(old.current + more, old.total, old.completed, old.weight)
    assert overall(grown) >= overall(whole)
    assert percentage(grown[place]) >= percentage(old)
