"""ProgressTracker and images: creating, fetching, marking, resetting. Acceptance cases C1 to C31."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs import operations
from jobs.models import Item, Job, Phase
from jobs.tracker import ProgressTracker, Status
from jobs.watchdog import expire_leases, recount
from tests.factories import keys, outward, phase_of, take
from tests.jobs.tracker.conftest import PATHS, SPLITS

pytestmark = pytest.mark.django_db


def statuses(job_id: int) -> list[str]:
    """The statuses of a job's items, in their order."""
    return list(Item.objects.filter(phase__job=job_id).order_by("pk").values_list("status", flat=True))


@contextmanager
def few_parameters() -> Iterator[None]:
    """SQLite takes fewer parameters in a statement than there are images."""
    if connection.vendor != "sqlite":
        yield
        return
    before = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1100)
    yield
    connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


def image(tracker: ProgressTracker) -> int:
    """The id of the one image of a new job."""
    job_id = tracker.create_job(f"one-{Job.objects.count()}", ["x.jpg"])
    return tracker.get_pending_images(job_id)[0][0]


# --- creating ------------------------------------------------------------------------------------


def test_a_new_job_has_all_its_images_pending(tracker: ProgressTracker, job_id: int) -> None:
    """C1, C3."""
    assert job_id > 0
    assert tracker.get_job_id("test_job") == job_id
    assert tracker.get_progress(job_id) == {
        "job_id": job_id,
        "name": "test_job",
        "total_images": 3,
        "processed_count": 0,
        "error_count": 0,
        "pending_count": 3,
        "status": "pending",
    }
    pending = tracker.get_pending_images(job_id)
    assert [(path, split) for _, path, split in pending] == list(zip(map(Path, PATHS), SPLITS, strict=True))


def test_creating_it_again_answers_the_same_job(tracker: ProgressTracker, job_id: int) -> None:
    """C2."""
    assert tracker.create_job("test_job", PATHS, SPLITS) == job_id
    assert len(statuses(job_id)) == 3


def test_creating_it_again_adds_the_paths_that_it_lacks(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    tracker.mark_completed(ids[0])
    tracker.create_job("test_job", [*PATHS, "d.jpg"])
    progress = tracker.get_progress(job_id)
    assert (progress["total_images"], progress["processed_count"], progress["pending_count"]) == (4, 1, 3)


def test_new_images_of_a_finished_job_begin_a_new_run(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    tracker.mark_many(ids, Status.COMPLETED)
    tracker.create_job("test_job", ["d.jpg"])
    [(pk, path, _)] = tracker.get_pending_images(job_id)
    assert path == Path("d.jpg")
    tracker.mark_completed(pk)
    job = Job.objects.get(pk=job_id)
    assert (job.status, phase_of(job).run, phase_of(job).done) == ("completed", 2, 4)
    assert [event["processed_assets"] for event in outward(job, "items.completed")] == [3, 4]


def test_an_unknown_job_has_no_progress_and_an_unknown_name_no_id(tracker: ProgressTracker) -> None:
    """C6."""
    assert tracker.get_progress(10**9) == {}
    assert tracker.get_job_id("unknown") is None
    assert tracker.get_pending_images(10**9) == []
    assert tracker.reset_stuck_images(10**9) == tracker.reset_error_images(10**9) == 0


def test_a_path_that_comes_twice_is_one_image(tracker: ProgressTracker) -> None:
    """C21."""
    job_id = tracker.create_job("twice", ["a.jpg", "b.jpg", "a.jpg"])
    assert tracker.get_progress(job_id)["total_images"] == 2
    tracker.mark_many([pk for pk, _, _ in tracker.get_pending_images(job_id)], Status.COMPLETED)
    tracker.checkpoint(job_id)
    assert tracker.get_progress(job_id)["pending_count"] == 0


def test_a_job_of_no_images_is_completed(tracker: ProgressTracker) -> None:
    """C24."""
    job_id = tracker.create_job("empty", [])
    progress = tracker.get_progress(job_id)
    assert (progress["total_images"], progress["pending_count"], progress["status"]) == (0, 0, "completed")
    assert "processed  0 (100.0%)" in tracker.report(job_id)


@pytest.mark.parametrize(
    ("name", "paths", "splits"),
    [
        ("short", ["a", "b"], ["train"]),
        ("none", ["a"], []),
        ("", ["a"], None),
        ("n" * 200, ["a"], None),
        ("empty path", [""], None),
        ("long path", ["p" * 1025], None),
        ("nul", ["a\0b"], None),
        ("half a pair", ["a\udcff"], None),
        ("long split", ["a"], ["s" * 65]),
    ],
)
def test_what_is_out_of_bounds_is_refused_and_nothing_is_stored(
    tracker: ProgressTracker, name: str, paths: list[str], splits: list[str] | None
) -> None:
    with pytest.raises(ValueError, match=r"Give one split|^The "):
        tracker.create_job(name, paths, splits)
    assert not Job.objects.exists()


# --- fetching ------------------------------------------------------------------------------------


def test_a_fetch_brings_a_hundred_and_the_rest_follows(tracker: ProgressTracker) -> None:
    """C8."""
    job_id = tracker.create_job("many", keys(250))
    seen: list[int] = []
    for expected in (100, 100, 50, 0):
        fetched = [pk for pk, _, _ in tracker.get_pending_images(job_id)]
        assert len(fetched) == expected
        tracker.mark_many(fetched, Status.PROCESSING)
        seen += fetched
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_given_as_texts_or_as_paths_and_come_back_as_paths(tmp_path: Path, kind: type) -> None:
    tracker = ProgressTracker(kind(tmp_path / "old.db"))
    images = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    job_id = tracker.create_job("paths", [kind(path) for path in images])
    assert [path for _, path, _ in tracker.get_pending_images(job_id)] == images
    assert all(isinstance(path, Path) for _, path, _ in tracker.get_pending_images(job_id))
    assert tracker.create_job("paths", images) == job_id
    assert len(statuses(job_id)) == 2


def test_a_list_of_images_is_taken_and_those_that_are_ours_are_named(tracker: ProgressTracker, ids: list[int]) -> None:
    assert ProgressTracker().mark_processing(ids[1]) is True
    assert tracker.mark_processing(ids) == [ids[0], ids[2]]
    assert tracker.mark_processing([ids[1]]) == []
    assert tracker.mark_processing([]) == []
    assert tracker.mark_processing(ids[1]) is False


def test_any_number_of_images_is_marked_in_portions(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("many", keys(2500))
    ids = [pk for pk, _, _ in tracker.get_pending_images(job_id, 10_000)]
    with few_parameters(), pytest.raises(KeyError, match=f"There is no image {ids[-1] + 9}"):
        tracker.mark_many([*ids, ids[-1] + 9], Status.COMPLETED)
    assert tracker.mark_many([*ids, *ids], Status.COMPLETED) == ids
    assert phase_of(Job.objects.get(pk=job_id)).done == 2500


@pytest.mark.parametrize("limit", [0, -1, "x", "10", 1.5, True, None])
def test_a_limit_that_is_no_positive_number_is_refused(tracker: ProgressTracker, job_id: int, limit: Any) -> None:
    """C26."""
    with pytest.raises(ValueError, match="limit"):
        tracker.get_pending_images(job_id, limit)


def test_a_huge_limit_is_cut_to_ten_thousand(tracker: ProgressTracker) -> None:
    """C26."""
    job_id = tracker.create_job("huge", keys(10_001))
    assert len(tracker.get_pending_images(job_id, 10**9)) == 10_000


def test_fetching_claims_nothing(tracker: ProgressTracker, job_id: int) -> None:
    assert tracker.get_pending_images(job_id) == tracker.get_pending_images(job_id)


# --- marking -------------------------------------------------------------------------------------


def test_a_completed_image_is_processed_and_no_longer_pending(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    """C4."""
    assert tracker.mark_completed(ids[0])
    tracker.checkpoint()
    assert len(tracker.get_pending_images(job_id)) == 2
    assert tracker.get_progress(job_id)["processed_count"] == 1
    assert tracker.mark_error(ids[1], "broken")
    tracker.checkpoint()
    assert tracker.get_progress(job_id)["error_count"] == 1


def test_a_mark_is_durable_at_once_and_counted_once(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    """C15: without a checkpoint."""
    for _ in range(2):
        assert tracker.mark_completed(ids[0])
    assert phase_of(Job.objects.get(pk=job_id)).done == 1
    assert ids[0] not in [pk for pk, _, _ in ProgressTracker().get_pending_images(job_id)]


def test_of_two_workers_one_gets_the_image(ids: list[int]) -> None:
    first, second = ProgressTracker(), ProgressTracker()
    assert [first.mark_processing(ids[0]), second.mark_processing(ids[0])] == [True, False]
    assert first.mark_processing(ids[0])
    assert Item.objects.get(pk=ids[0]).worker == first.worker


def test_an_image_that_a_worker_claimed_is_not_ours(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    take(phase_of(Job.objects.get(pk=job_id)), 1)
    assert [tracker.mark_processing(pk) for pk in ids] == [False, True, True]


def test_an_image_is_held_without_a_lease_until_it_is_released(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    tracker.mark_processing(ids[0])
    held = Item.objects.get(pk=ids[0])
    assert (held.status, held.lease_seconds, held.lease_expires_at, held.attempt) == ("processing", None, None, 1)
    expire_leases(timezone.now() + timedelta(days=365))
    assert statuses(job_id) == ["processing", "pending", "pending"]


@pytest.mark.parametrize(
    ("first", "then", "answer", "status"),
    [
        (Status.COMPLETED, Status.COMPLETED, True, "completed"),
        (Status.COMPLETED, Status.ERROR, False, "completed"),
        (Status.COMPLETED, Status.PROCESSING, False, "completed"),
        (Status.COMPLETED, Status.PENDING, False, "completed"),
        (Status.ERROR, Status.COMPLETED, True, "completed"),
        (Status.ERROR, Status.ERROR, True, "failed"),
        (Status.ERROR, Status.PROCESSING, False, "failed"),
        (Status.PROCESSING, Status.COMPLETED, True, "completed"),
        (Status.PROCESSING, Status.ERROR, True, "failed"),
        (Status.PROCESSING, Status.PENDING, True, "pending"),
        (Status.PENDING, Status.COMPLETED, True, "completed"),
    ],
)
def test_a_completed_image_stays_completed(
    tracker: ProgressTracker, first: Status, then: Status, answer: bool, status: str
) -> None:
    job_id = tracker.create_job("two", ["x.jpg", "y.jpg"])
    (pk, _, _), (other, _, _) = tracker.get_pending_images(job_id)
    tracker.mark_completed(other)  # with no success at all the job would fail
    tracker.mark_many([pk], first)
    assert bool(tracker.mark_many([pk], then)) is answer
    assert Item.objects.get(pk=pk).status == status
    assert recount() == []


def test_a_job_whose_images_all_failed_takes_marks_again_after_their_reset(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("failed", ["x.jpg"])
    [(pk, _, _)] = tracker.get_pending_images(job_id)
    tracker.mark_error(pk, "broken")
    assert not tracker.mark_completed(pk)
    assert tracker.reset_error_images(job_id) == 1
    assert tracker.mark_completed(pk)
    assert tracker.get_progress(job_id)["status"] == "completed"


@pytest.mark.parametrize("mark", ["mark_processing", "mark_completed", "mark_batch_uploaded"])
def test_an_unknown_id_is_a_key_error(tracker: ProgressTracker, mark: str) -> None:
    with pytest.raises(KeyError, match="There is no"):
        getattr(tracker, mark)(10**9)


def test_a_batch_is_no_image_and_an_image_no_batch(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    batch = tracker.create_batch(job_id, 1, 100)
    with pytest.raises(KeyError):
        tracker.mark_completed(batch)
    with pytest.raises(KeyError):
        tracker.mark_batch_uploaded(ids[0])


def test_nothing_is_marked_where_one_of_many_is_unknown(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    with pytest.raises(KeyError):
        tracker.mark_many([*ids, 10**9], Status.COMPLETED)
    with pytest.raises(ValueError, match="done"):
        tracker.mark_many(ids, "done")
    assert statuses(job_id) == ["pending"] * 3


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        ("x" * 600, "x" * 500),
        ("", "unknown error"),
        (ValueError("truncated"), "truncated"),
        ("a\0b\udcff", "a?b?"),
    ],
)
def test_an_error_is_kept_as_at_most_500_characters(tracker: ProgressTracker, error: object, stored: str) -> None:
    """C13."""
    pk = image(tracker)
    tracker.mark_error(pk, error)
    assert Item.objects.get(pk=pk).error == stored


def test_a_cancelled_job_takes_no_marks(tracker: ProgressTracker, job_id: int, ids: list[int]) -> None:
    operations.cancel(Job.objects.get(pk=job_id), actor=None)
    assert not tracker.mark_completed(ids[0])
    assert tracker.get_progress(job_id)["status"] == "cancelled"


def test_the_job_is_completed_when_all_is_settled_and_partial_with_errors(
    tracker: ProgressTracker, job_id: int, ids: list[int]
) -> None:
    """C30."""
    tracker.mark_many(ids[:2], Status.COMPLETED)
    tracker.mark_error(ids[2], "broken")
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.partial, job.error) == ("completed", True, "c.jpg failed: broken")


# --- the whole way -------------------------------------------------------------------------------


def test_the_usage_example_of_the_old_tracker_runs_unchanged() -> None:
    tracker = ProgressTracker("progress.db")
    paths = [f"images/{n:04}.jpg" for n in range(500)]
    job_id = tracker.create_job("usage", paths, ["train"] * 400 + ["valid"] * 50 + ["test"] * 50)
    for place, (image_id, _, _) in enumerate(tracker.get_pending_images(job_id, limit=500)):
        tracker.mark_processing(image_id)
        if place % 100:
            tracker.mark_completed(image_id)
        else:
            tracker.mark_error(image_id, "unreadable")
    tracker.checkpoint(job_id)
    progress = tracker.get_progress(job_id)
    tracker.close()
    assert (progress["total_images"], progress["processed_count"], progress["error_count"]) == (500, 495, 5)
    assert (progress["pending_count"], progress["status"]) == (0, "completed")
    assert recount() == []


def test_a_job_takes_the_options_that_a_job_over_rest_takes(tracker: ProgressTracker) -> None:
    due = datetime(2099, 1, 1, tzinfo=UTC)
    options: dict[str, Any] = {"due_at": due, "silent_after": 60, "stalled_after": 90, "priority": 7}
    retries = {"retries": 2, "retry_delay": 40, "retry_delay_max": 50}
    tracker.create_job("with options", ["x.jpg"], **options, **retries)
    assert Job.objects.values(*options).get(name="with options") == options
    assert phase_of(Job.objects.get(name="with options")).priority == 7
    phases = Phase.objects.filter(job__name="with options")
    assert phases.values(*retries).get() == retries


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retries": -1}, "retries: Expected `int` >= 0"),
        ({"priority": "high"}, "priority: Expected `int`, got `str`"),
        ({"due_at": datetime(2099, 1, 1, tzinfo=UTC), "expected_seconds": 9}, "due_at: Give either"),
        ({"due": 1}, "unknown field `due`"),
    ],
)
def test_a_wrong_option_is_named_and_creates_nothing(
    tracker: ProgressTracker, options: dict[str, Any], error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        tracker.create_job("wrong", ["x.jpg"], **options)
    assert not Job.objects.filter(name="wrong").exists()


def test_a_failed_image_with_a_retry_left_is_pending_again_when_it_is_due(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("retried", ["x.jpg"], retries=1)
    [[image_id, *_]] = tracker.get_pending_images(job_id)
    assert tracker.mark_error(image_id, "disk full")
    assert tracker.get_pending_images(job_id) == []
    assert tracker.get_progress_by_split(job_id)[""]["pending"] == 1
    Item.objects.update(available_at=timezone.now())
    assert [pk for pk, *_ in tracker.get_pending_images(job_id)] == [image_id]
    assert tracker.mark_error(image_id, "disk full")
    assert tracker.get_progress_by_split(job_id)[""]["error"] == 1


def test_a_failed_image_is_an_error_at_once_whatever_the_site_retries(settings: Any) -> None:
    settings.ITEM_RETRIES = 5
    tracker = ProgressTracker()
    assert tracker.mark_error(image(tracker), "broken")
    assert list(Item.objects.values_list("status", "available_at")) == [("failed", None)]
