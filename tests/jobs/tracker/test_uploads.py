"""ProgressTracker's upload batches: items of a second job."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Job
from jobs.tracker import ProgressTracker

pytestmark = pytest.mark.django_db


def test_a_batch_waits_until_it_is_uploaded(tracker: ProgressTracker, job_id: int) -> None:
    """C12."""
    batch = tracker.create_batch(job_id, 1, 100)
    row = {"id": batch, "batch_number": 1, "image_count": 100, "status": "pending", "error": ""}
    assert (tracker.get_pending_batches(job_id), tracker.get_uploaded_batches(job_id)) == ([row], [])
    assert tracker.mark_batch_uploaded(batch)
    uploaded = {**row, "status": "completed"}
    assert (tracker.get_pending_batches(job_id), tracker.get_uploaded_batches(job_id)) == ([], [uploaded])


def test_a_batch_in_error_is_listed_as_pending_with_its_error(tracker: ProgressTracker, job_id: int) -> None:
    """C12."""
    first, second = (tracker.create_batch(job_id, number, 100) for number in (1, 2))
    tracker.mark_batch_error(first, "bucket is full")
    tracker.mark_batch_uploaded(second)
    [row] = tracker.get_pending_batches(job_id)
    assert (row["id"], row["status"], row["error"]) == (first, "error", "bucket is full")
    assert tracker.mark_batch_uploaded(first)
    assert [row["batch_number"] for row in tracker.get_uploaded_batches(job_id)] == [1, 2]
    assert tracker.get_pending_batches(job_id) == []


def test_batches_are_items_of_a_second_job_that_goes_on_with_each_new_one(
    tracker: ProgressTracker, job_id: int
) -> None:
    for number in (1, 2):
        tracker.mark_batch_uploaded(tracker.create_batch(job_id, number, 100))
    uploads = Job.objects.get(name="test_job/upload")
    [phase] = uploads.phases.all()
    assert (phase.code, phase.run, phase.done, phase.expected) == ("upload", 2, 2, 2)
    assert (uploads.status, uploads.stage) == ("completed", "Completed")
    assert tracker.get_progress(job_id)["total_images"] == 3


def test_a_second_batch_of_the_same_number_is_refused(tracker: ProgressTracker, job_id: int) -> None:
    """C25."""
    tracker.create_batch(job_id, 1, 100)
    with pytest.raises(ValueError, match="already has a batch 1"):
        tracker.create_batch(job_id, 1, 50)
    other = tracker.create_job("other", ["x.jpg"])
    assert tracker.create_batch(other, 1, 50)
    assert [row["image_count"] for row in tracker.get_pending_batches(job_id)] == [100]


def test_a_batch_of_an_unknown_job_is_refused(tracker: ProgressTracker) -> None:
    """C25."""
    with pytest.raises(ValueError, match="no job"):
        tracker.create_batch(10**9, 1, 100)
    assert tracker.get_pending_batches(10**9) == tracker.get_uploaded_batches(10**9) == []
    assert not Job.objects.exists()


@pytest.mark.parametrize(("number", "images"), [(-1, 1), (1, -1), ("1", 1), (1, 1.5), (True, 1), (None, 1)])
def test_numbers_that_are_none_are_refused(tracker: ProgressTracker, job_id: int, number: Any, images: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        tracker.create_batch(job_id, number, images)
    assert not Job.objects.filter(name="test_job/upload").exists()
