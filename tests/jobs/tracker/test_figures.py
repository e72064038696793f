"""ProgressTracker's figures: checkpoints, splits, the text report, and what all of it costs in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import operations
from jobs.models import Job
from jobs.serializers import job_body, progress_body
from jobs.tracker import ProgressTracker, Status
from tests.factories import keys, make_job

pytestmark = pytest.mark.django_db
NONE = {"total": 0, "completed": 0, "error": 0, "pending": 0, "processing": 0}


def counts(**numbers: int) -> dict[str, int]:
    """The counts of a split."""
    return {**NONE, **numbers}


# --- checkpoints ---------------------------------------------------------------------------------


def test_progress_shows_the_last_checkpoint_and_live_counts_the_moment(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    """C5."""
    tracker.mark_completed(ids[0])
    assert tracker.get_progress(job_id)["processed_count"] == 0
    job = Job.objects.get(pk=job_id)
    assert progress_body(job, phases=list(job.phases.all()))["processed"] == 1
    assert tracker.get_progress_by_split(job_id)["train"]["completed"] == 1
    tracker.checkpoint(job_id)
    tracker.mark_error(ids[1], "broken")
    progress = tracker.get_progress(job_id)
    assert (progress["processed_count"], progress["error_count"], progress["pending_count"]) == (1, 0, 2)


def test_a_checkpoint_is_kept_with_the_job_and_seen_by_others(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    tracker.mark_completed(ids[0])
    tracker.checkpoint(job_id)
    assert ProgressTracker().get_progress(job_id)["processed_count"] == 1
    assert job_body(Job.objects.get(pk=job_id))["metadata"]["checkpoint"] == {"total": 3, "processed": 1, "error": 0}


def test_a_checkpoint_leaves_other_metadata_alone(tracker: ProgressTracker) -> None:
    job = make_job(items=2, metadata={"camera": "left"})
    tracker.checkpoint(job.pk)
    job.refresh_from_db()
    assert job.metadata == {"camera": "left", "checkpoint": {"total": 2, "processed": 0, "error": 0}}


def test_a_checkpoint_moves_the_revision_once(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    tracker.mark_completed(ids[0])
    revisions = []
    for _ in range(3):
        revisions.append(Job.objects.get(pk=job_id).revision)
        tracker.checkpoint(job_id)
    assert revisions == [revisions[0], revisions[0] + 1, revisions[0] + 1]


def test_a_checkpoint_without_a_job_is_one_of_every_job_that_this_tracker_has_changed() -> None:
    mine, other = ProgressTracker(), ProgressTracker()
    jobs = {name: mine.create_job(name, ["x.jpg"]) for name in ("one", "two", "three")}
    for name, tracker in (("one", mine), ("two", mine), ("three", other)):
        tracker.mark_completed(mine.get_pending_images(jobs[name])[0][0])
    mine.checkpoint()
    assert [mine.get_progress(pk)["processed_count"] for pk in jobs.values()] == [1, 1, 0]


def test_a_checkpoint_of_an_unknown_job_changes_nothing(tracker: ProgressTracker) -> None:
    tracker.checkpoint(10**9)
    tracker.checkpoint()
    assert not Job.objects.exists()


def test_a_job_that_never_had_a_checkpoint_shows_its_live_figures(tracker: ProgressTracker) -> None:
    job = make_job(items=5, done=2, failed=1, skipped=1)
    progress = tracker.get_progress(job.pk)
    assert [progress[name] for name in ("total_images", "processed_count", "error_count", "pending_count")] == [
        5,
        3,
        1,
        1,
    ]


def test_pending_counts_held_images_and_is_never_negative(tracker: ProgressTracker) -> None:
    """C9."""
    job_id = tracker.create_job("held", keys(4))
    tracker.mark_many([pk for pk, _, _ in tracker.get_pending_images(job_id)], Status.PROCESSING)
    tracker.checkpoint(job_id)
    assert tracker.get_progress(job_id)["pending_count"] == 4
    [phase] = job_body(Job.objects.get(pk=job_id))["phases"]
    assert (phase["pending"], phase["processing"]) == (0, 4)


def test_pending_is_not_negative_when_more_was_done_than_expected(tracker: ProgressTracker) -> None:
    job = make_job(expected=2, done=5)
    tracker.checkpoint(job.pk)
    progress = tracker.get_progress(job.pk)
    assert (progress["total_images"], progress["processed_count"], progress["pending_count"]) == (2, 5, 0)


def test_a_restart_is_shown_with_the_next_checkpoint(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    tracker.mark_many(ids, Status.COMPLETED)
    tracker.checkpoint(job_id)
    operations.restart(Job.objects.get(pk=job_id), phase="items", actor=None)
    shown = [tracker.get_progress(job_id)["pending_count"]]
    tracker.checkpoint(job_id)
    assert [*shown, tracker.get_progress(job_id)["pending_count"]] == [0, 3]


# --- splits --------------------------------------------------------------------------------------


def test_train_valid_and_test_are_always_there(tracker: ProgressTracker) -> None:
    """C10."""
    job_id = tracker.create_job("splits", keys(4), ["train", "valid", "train", "test"])
    pending = {"train": 2, "valid": 1, "test": 1}
    assert tracker.get_progress_by_split(job_id) == {name: counts(total=n, pending=n) for name, n in pending.items()}
    empty = tracker.create_job("empty", [])
    assert tracker.get_progress_by_split(empty) == {"train": NONE, "valid": NONE, "test": NONE}


def test_an_unknown_split_is_kept_and_all_splits_sum_up_to_the_total(tracker: ProgressTracker) -> None:
    """C11."""
    job_id = tracker.create_job("val", keys(6), ["val", "val", "train", "", "Valid", "test"])
    found = tracker.get_progress_by_split(job_id)
    assert found["val"] == counts(total=2, pending=2)
    assert sum(split["total"] for split in found.values()) == 6
    assert set(found) == {"train", "valid", "test", "val", "", "Valid"}


def test_each_status_has_its_place_and_skipped_counts_as_done(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    tracker.mark_error(ids[1], "broken")
    tracker.mark_processing(ids[2])
    operations.skip(Job.objects.get(pk=job_id), items=[ids[0]], actor=None)
    assert tracker.get_progress_by_split(job_id) == {
        "train": counts(total=1, completed=1),
        "valid": counts(total=1, error=1),
        "test": counts(total=1, processing=1),
    }


# --- the text ------------------------------------------------------------------------------------


def test_the_report_says_the_figures_and_how_many_are_stuck(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    """C31."""
    tracker.mark_many(ids[:2], Status.COMPLETED)
    tracker.mark_processing(ids[2])
    assert tracker.report(job_id).splitlines() == [
        "test_job",
        "  total      3",
        "  processed  2 (66.7%)",
        "  pending    0",
        "  errors     0",
        "  train      1 of 1 (100.0%)",
        "  valid      1 of 1 (100.0%)",
        "  test       0 of 1 (0.0%), 1 stuck",
    ]


def test_the_report_of_an_unknown_job_says_so(tracker: ProgressTracker) -> None:
    with pytest.raises(KeyError, match="There is no job 404"):
        tracker.report(404)


# --- the cost ------------------------------------------------------------------------------------

COSTS: list[tuple[str, Callable[[ProgressTracker, int, list[int]], Any], int]] = [
    ("create", lambda tracker, job, _: tracker.create_job(Job.objects.get(pk=job).name, keys(9, start=5000)), 17),
    ("fetch", lambda tracker, job, _: tracker.get_pending_images(job, 1000), 2),
    ("mark many", lambda tracker, _, ids: tracker.mark_many(ids, Status.COMPLETED), 16),
    ("mark", lambda tracker, _, ids: tracker.mark_completed(ids[0]), 14),
    ("checkpoint", lambda tracker, job, _: tracker.checkpoint(job), 8),
    ("progress", lambda tracker, job, _: tracker.get_progress(job), 1),
    ("by split", lambda tracker, job, _: tracker.get_progress_by_split(job), 2),
    ("report", lambda tracker, job, _: tracker.report(job), 3),
    ("reset", lambda tracker, job, _: tracker.reset_stuck_images(job), 12),
]


@pytest.mark.parametrize(("name", "act", "most"), COSTS, ids=[row[0] for row in COSTS])
def test_a_call_runs_as_many_statements_for_one_image_as_for_a_thousand(
    tracker: ProgressTracker, name: str, act: Callable[[ProgressTracker, int, list[int]], Any], most: int
) -> None:
    found = []
    for number in (2, 1000):
        job_id = tracker.create_job(f"{name}-{number}", keys(number + 1))
        first, *ids = [pk for pk, _, _ in tracker.get_pending_images(job_id, number + 1)]
        tracker.mark_processing(first)
        tracker.mark_completed(first)
        with CaptureQueriesContext(connection) as captured:
            act(tracker, job_id, ids)
        found.append(len(captured))
    assert found[0] == found[1] <= most
