"""Formats of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.rules.formatting import format_ago

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90 s ago"), (0, "0 s ago"), (-0.9, "0 s ago"), (-1, "in 1 s"), (-300, "in 5 min")],
)
def test_the_distance_of_a_moment(seconds: float, text: str) -> None:
    assert format_ago(NOW - timedelta(seconds=seconds), now=NOW) == text
