"""What the tests of the rules share: a clock that stands still, and an ear where browsers listen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.live import broadcast


class Clock:
    """The server's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)

    def forward(self, seconds: float) -> datetime:
        """Let that many seconds pass; the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test moves it."""
    stopped = Clock()
    monkeypatch.setattr(timezone, "now", lambda: stopped.now)
    return stopped


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the jobs that browsers were told about, in order."""
    heard: list[int] = []

    def touch(job_ids: Iterable[int]) -> None:
        heard.extend(job_ids)

    monkeypatch.setattr(broadcast, "touch", touch)
    return heard
