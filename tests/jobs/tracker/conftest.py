"""Fixtures of the tracker's tests: a tracker, and a job of three images."""

from __future__ import annotations

import pytest

from jobs.tracker import ProgressTracker

PATHS = ["a.jpg", "b.jpg", "c.jpg"]
SPLITS = ["train", "valid", "test"]


@pytest.fixture
def tracker() -> ProgressTracker:
    """A tracker."""
    return ProgressTracker()


@pytest.fixture
def job_id(tracker: ProgressTracker) -> int:
    """The job `test_job` of three images, one of each split."""
    return tracker.create_job("test_job", PATHS, SPLITS)


@pytest.fixture
def ids(tracker: ProgressTracker, job_id: int) -> list[int]:
    """The ids of its images."""
    return [pk for pk, _, _ in tracker.get_pending_images(job_id)]
