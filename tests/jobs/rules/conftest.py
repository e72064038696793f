"""Fixtures of the tests of the rules: a stopped clock, and the notifications of browsers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.live import broadcast


class Clock:
    """The server's clock, moved by the test."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)

    def forward(self, seconds: float) -> datetime:
        """Move the clock by so many seconds and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Provide a clock that stands still until a test moves it."""
    stopped = Clock()
    monkeypatch.setattr(timezone, "now", lambda: stopped.now)
    return stopped


@pytest.fixture
def broadcasts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Provide the ids of the jobs of which browsers were notified, in order."""
    heard: list[int] = []

    def touch(job_ids: Iterable[int]) -> None:
        heard.extend(job_ids)

    monkeypatch.setattr(broadcast, "touch", touch)
    return heard
