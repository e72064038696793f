"""ProgressTracker after a fault: stuck images and failed ones become pending. Acceptance cases C7, C9, C14, C18."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import operations
from jobs.models import Item, Job
from jobs.rules.errors import WrongState
from jobs.tracker import ProgressTracker, Status
from tests.factories import phase_of, take
from tests.jobs.tracker.test_images import statuses

pytestmark = pytest.mark.django_db


def test_stuck_images_become_pending_again(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    """C7, C9."""
    tracker.mark_many(ids, Status.PROCESSING)
    assert tracker.get_pending_images(job_id) == []
    assert tracker.get_progress(job_id)["pending_count"] == 3
    assert ProgressTracker().reset_stuck_images(job_id) == 3
    assert len(tracker.get_pending_images(job_id)) == 3
    assert ProgressTracker().mark_processing(ids[0])


def test_a_live_lease_is_not_released_but_an_expired_one(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    """C18."""
    take(phase_of(Job.objects.get(pk=job_id)), 2)
    Item.objects.filter(pk=ids[0]).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    tracker.mark_processing(ids[2])
    assert tracker.reset_stuck_images(job_id) == 2
    assert statuses(job_id) == ["pending", "processing", "pending"]


def test_failed_images_become_pending_with_error_and_time_cleared(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    """C14."""
    tracker.mark_error(ids[0], "broken")
    before = Item.objects.get(pk=ids[0])
    assert tracker.reset_error_images(job_id) == 1
    assert tracker.reset_error_images(job_id) == 0
    after = Item.objects.get(pk=ids[0])
    assert (after.status, after.error, after.finished_at) == ("pending", "", None)
    assert after.attempt == before.attempt + 1


def test_resets_are_written_down_under_the_worker_s_name(job_id: int, ids: list[int]) -> None:
    tracker = ProgressTracker(worker="night-shift")
    tracker.mark_error(ids[0], "broken")
    tracker.reset_error_images(job_id)
    assert Job.objects.get(pk=job_id).events.get(type="operator.retry").actor == "night-shift"


def test_a_forced_job_is_closed_for_good(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    tracker.mark_error(ids[0], "broken")
    operations.force_complete(Job.objects.get(pk=job_id), actor=None, reason="enough")
    with pytest.raises(WrongState):
        tracker.reset_error_images(job_id)
