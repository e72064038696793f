"""The picture of items per minute: one scale, failures that can be seen, and nothing flattened in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.console.charts import HEIGHT, MOST_LINES, RateChart, rate_chart

FIRST = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def drawn(*minutes: tuple[int, int], length: int = 60) -> RateChart:
    """The picture of these (done, failed) from the first minute on."""
    rows = [(FIRST + timedelta(minutes=n), *counts) for n, counts in enumerate(minutes)]
    return rate_chart(rows, first=FIRST, last=FIRST + timedelta(minutes=length - 1))


def test_done_and_failed_have_one_scale() -> None:
    shown = drawn((40, 20), (20, 40))
    first, second = shown.columns
    assert first.done_height == pytest.approx(second.failed_height, abs=0.2)
    assert first.done_height == pytest.approx(2 * second.done_height, abs=0.2)


def test_the_upper_edge_is_a_number_that_reads_well() -> None:
    assert [drawn((peak, 0)).top for peak in (1, 7, 11, 70, 213, 999, 1001)] == [1, 8, 20, 80, 300, 1000, 2000]


def test_a_few_failures_beside_many_successes_can_be_seen() -> None:
    shown = drawn(*[(10_000, 0)] * 30, (10_000, 1))
    assert shown.columns[-1].failed_height >= 3
    assert shown.base < HEIGHT - 10


def test_one_huge_column_is_cut_and_said_instead_of_flattening_the_others() -> None:
    shown = drawn(*[(50, 0)] * 40, (12_000, 0))
    *usual, huge = shown.columns
    assert [column.cut for column in usual] == [False] * 40
    assert huge.cut
    assert usual[0].done_height > HEIGHT / 3
    assert shown.cut_description == "1 column is cut off; the highest is 12,000 at 12:40 UTC"
    assert shown.cut_description in shown.description


def test_a_huge_column_of_failures_is_cut_too() -> None:
    shown = drawn(*[(50, 2)] * 40, (50, 9_000))
    assert [column.cut for column in shown.columns][-2:] == [False, True]


@pytest.mark.parametrize("minutes", [[(5, 0)], [(5, 0), (100, 0)], [(n, 0) for n in range(60)], [(0, 4)] * 10, []])
def test_what_is_no_outlier_is_drawn_whole(minutes: list[tuple[int, int]]) -> None:
    shown = drawn(*minutes)
    assert not shown.cut
    assert all(column.done_y >= 0 and column.done_y + column.done_height <= HEIGHT for column in shown.columns)
    assert all(shown.base + column.failed_height <= HEIGHT for column in shown.columns)


def test_a_long_time_is_drawn_in_wider_columns_of_items_per_minute() -> None:
    shown = drawn(*[(60, 0)] * 600, length=600)
    assert len(shown.columns) == 120
    assert (shown.peak, shown.top, shown.done) == (60, 60, 36_000)


def test_the_axis_names_the_beginning_each_quarter_and_the_end() -> None:
    ticks = [tick.strftime("%H:%M") for tick in drawn((1, 1), length=61).ticks]
    assert ticks == ["12:00", "12:15", "12:30", "12:45", "13:00"]


def test_full_hours_are_marked_and_few_of_them_in_a_long_chart() -> None:
    assert drawn((1, 1), length=91).lines == [400.0]
    assert len(drawn((1, 1), length=60 * 36).lines) <= MOST_LINES
    assert len(drawn((1, 1), length=60 * 24 * 5).lines) <= MOST_LINES


def test_the_picture_is_said_with_its_figures() -> None:
    assert drawn((5, 1), (3, 0), length=3).description == (
        "Items per minute: 3 in the last full minute, peak 6; 8 done and 1 failed in total"
    )
