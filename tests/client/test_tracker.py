"""The image tracker over REST: the cases of the old one, against a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from progress_client import NotPermitted, ProgressTracker, Status

from tests.client.grounds import phase_of
from tests.examples.site import Site, eventually

PATHS, SPLITS = ["a.jpg", "b.jpg", "c.jpg"], ["train", "train", "valid"]
Make = Callable[..., ProgressTracker]


@pytest.fixture
def make(site: Site, operator: str) -> Iterator[Make]:
    made: list[ProgressTracker] = []

    def tracker(*, token: str = operator) -> ProgressTracker:
        made.append(ProgressTracker(site.url, token))
        return made[-1]

    yield tracker
    for one in made:
        one.close()


@pytest.fixture
def tracker(make: Make) -> ProgressTracker:
    return make()


@pytest.fixture
def job(tracker: ProgressTracker, name: str) -> int:
    return tracker.create_job(name, PATHS, SPLITS)


def ids(tracker: ProgressTracker, job: int) -> list[int]:
    return [image for image, _, _ in tracker.get_pending_images(job)]


def figures(tracker: ProgressTracker, job: int) -> tuple[int, ...]:
    progress = tracker.get_progress(job)
    return tuple(progress[name] for name in ("total_images", "processed_count", "error_count", "pending_count"))


def test_a_job_is_created_found_and_created_again(tracker: ProgressTracker, job: int, name: str) -> None:
    assert tracker.get_job_id(name) == job == tracker.create_job(name, PATHS, SPLITS) > 0
    assert tracker.get_progress(job) == {
        "job_id": job,
        "name": name,
        "total_images": 3,
        "processed_count": 0,
        "error_count": 0,
        "pending_count": 3,
        "status": "pending",
    }
    assert tracker.get_job_id("unknown") is None


def test_pending_images_are_listed_in_order_and_not_claimed(tracker: ProgressTracker, job: int, make: Make) -> None:
    listed = tracker.get_pending_images(job)
    assert [image[1:] for image in listed] == list(zip(map(Path, PATHS), SPLITS, strict=True))
    assert make().get_pending_images(job) == listed


def test_progress_shows_the_last_checkpoint_and_live_counts_do_not_wait(tracker: ProgressTracker, job: int) -> None:
    first, second, _ = ids(tracker, job)
    assert tracker.mark_completed(first)
    assert tracker.mark_error(second, "x" * 900)
    assert figures(tracker, job) == (3, 0, 0, 3)
    assert tracker.get_progress_by_split(job)["train"]["completed"] == 1
    tracker.checkpoint()
    assert figures(tracker, job) == (3, 1, 1, 1)
    assert len(ids(tracker, job)) == 1


def test_two_workers_never_get_the_same_image(tracker: ProgressTracker, job: int, make: Make) -> None:
    other = make()
    images = ids(tracker, job)
    assert ids(other, job) == images
    assert [one.mark_processing(image) for image in images for one in (tracker, other)] == [True, False] * 3
    assert tracker.mark_processing(images[0])
    assert ids(tracker, job) == []
    assert figures(tracker, job)[3] == 3
    assert tracker.mark_completed(images[0])
    assert not other.mark_processing(images[0])


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_given_as_texts_or_as_paths_and_come_back_as_paths(
    site: Site, operator: str, name: str, kind: type
) -> None:
    with ProgressTracker(site.url, operator, db_path=kind("old.db")) as tracker:
        job = tracker.create_job(name, [kind("x/a.jpg"), kind("x/b.jpg")])
        assert [path for _, path, _ in tracker.get_pending_images(job)] == [Path("x/a.jpg"), Path("x/b.jpg")]


def test_a_list_of_images_is_taken_and_those_that_are_ours_are_named(
    tracker: ProgressTracker, job: int, make: Make
) -> None:
    first, second, third = ids(tracker, job)
    other = make()
    other.get_pending_images(job)
    assert other.mark_processing(second) is True
    assert tracker.mark_processing([first, second, third]) == [first, third]
    assert tracker.mark_processing([]) == tracker.mark_processing([second]) == []
    assert tracker.mark_processing(second) is False


def test_many_images_that_were_not_fetched_are_looked_for_once(
    tracker: ProgressTracker, make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tracker.create_job(name, [f"{number}.jpg" for number in range(1100)])
    images = [image for image, _, _ in tracker.get_pending_images(job, 1100)]
    other = make()
    assert other.get_job_id(name) == job
    calls: list[str] = []
    call = other._session.transport.call
    monkeypatch.setattr(
        other._session.transport, "call", lambda *what, **how: calls.append(what[1]) or call(*what, **how)
    )
    assert other.mark_many(images, Status.COMPLETED) == images
    assert len([path for path in calls if "/items?" in path]) <= 6
    assert len([path for path in calls if path.endswith("/report")]) == 2


def test_stuck_images_come_back(tracker: ProgressTracker, job: int, make: Make) -> None:
    assert all(map(tracker.mark_processing, ids(tracker, job)))
    assert make().reset_stuck_images(job) == 0
    assert tracker.reset_stuck_images(job) == 3
    assert len(ids(tracker, job)) == 3


def test_a_tracker_that_is_closed_gives_back_what_it_holds(job: int, tracker: ProgressTracker, make: Make) -> None:
    other = make()
    assert other.mark_many(ids(other, job), Status.PROCESSING)
    other.close()
    assert len(ids(tracker, job)) == 3


def test_a_marked_image_is_kept_while_it_is_worked_on(
    tracker: ProgressTracker, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("progress_client.tracker.LEASE_SECONDS", 0.3)
    job = tracker.create_job(name, ["a.jpg"])
    [image] = ids(tracker, job)
    tracker.mark_processing(image)
    body = site.job(name)
    assert body is not None
    before = site.items(body)[0]["lease_expires_at"]
    eventually(lambda: site.items(body)[0]["lease_expires_at"] > before, what="a renewal")


def test_errors_are_reset_with_their_text(tracker: ProgressTracker, job: int, site: Site, name: str) -> None:
    first, *_ = ids(tracker, job)
    tracker.mark_error(first, "no space \udc80")
    body = site.job(name)
    assert body is not None
    assert site.items(body, status="failed")[0]["error"].startswith("no space")
    assert tracker.reset_error_images(job) == 1
    assert len(ids(tracker, job)) == 3


def test_resets_need_an_operator(make: Make, site: Site, job: int) -> None:
    worker = make(token=site.token)
    for reset in (worker.reset_stuck_images, worker.reset_error_images):
        with pytest.raises(NotPermitted, match="permission"):
            reset(job)


def test_the_counts_by_split_have_the_known_ones_and_all_others(tracker: ProgressTracker, name: str) -> None:
    job = tracker.create_job(name, [*PATHS, "d.jpg"], ["train", "train", "val", "test"])
    counts = tracker.get_progress_by_split(job)
    assert {split: numbers["total"] for split, numbers in counts.items()} == {
        "train": 2,
        "valid": 0,
        "test": 1,
        "val": 1,
    }
    assert tracker.get_progress_by_split(10**9)["train"]["total"] == 0


def test_at_most_a_hundred_images_are_fetched_unless_more_are_asked_for(tracker: ProgressTracker, name: str) -> None:
    job = tracker.create_job(name, [f"{number:03}.jpg" for number in range(250)])
    first = ids(tracker, job)
    assert len(first) == 100
    assert tracker.mark_many(first, Status.COMPLETED) == first
    assert len(tracker.get_pending_images(job, limit=10**9)) == 150


@pytest.mark.parametrize("limit", [0, -1, "x", 1.5, True, None])
def test_a_limit_that_makes_no_sense_is_refused(tracker: ProgressTracker, job: int, limit: Any) -> None:
    with pytest.raises(ValueError, match="limit"):
        tracker.get_pending_images(job, limit=limit)


def test_a_shorter_list_of_splits_is_refused_and_stores_nothing(tracker: ProgressTracker, name: str) -> None:
    with pytest.raises(ValueError, match="3 image paths and 1 splits"):
        tracker.create_job(name, PATHS, ["train"])
    assert tracker.get_job_id(name) is None


def test_what_is_unknown(tracker: ProgressTracker, job: int) -> None:
    assert tracker.get_progress(10**9) == {}
    assert tracker.get_pending_images(10**9) == []
    assert tracker.reset_stuck_images(10**9) == 0
    for mark in (tracker.mark_completed, tracker.mark_processing, tracker.mark_batch_uploaded):
        with pytest.raises(KeyError):
            mark(10**9)


def test_an_image_is_known_without_having_been_fetched(
    tracker: ProgressTracker, job: int, make: Make, name: str
) -> None:
    first, *_ = ids(tracker, job)
    other = make()
    assert other.get_job_id(name) == job
    assert other.mark_completed(first)


@pytest.mark.parametrize(("paths", "total", "status"), [([], 0, "completed"), (["a", "a", "b"], 2, "pending")])
def test_no_images_and_the_same_image_twice(
    tracker: ProgressTracker, name: str, paths: list[str], total: int, status: str
) -> None:
    progress = tracker.get_progress(tracker.create_job(name, paths))
    assert (progress["total_images"], progress["pending_count"], progress["status"]) == (total, total, status)


def test_a_job_with_errors_is_completed_and_partial(tracker: ProgressTracker, job: int, site: Site, name: str) -> None:
    first, *others = ids(tracker, job)
    tracker.mark_error(first, "broken")
    assert all(map(tracker.mark_completed, others))
    assert tracker.get_progress(job)["status"] == "completed"
    assert phase_of(site, name)["partial"] is True
    assert not tracker.mark_error(others[0], "too late")


def test_upload_batches(tracker: ProgressTracker, job: int, make: Make, site: Site, name: str) -> None:
    first, second = tracker.create_batch(job, 1, 100), tracker.create_batch(job, 12, 50)
    with pytest.raises(ValueError, match="already has batch 1"):
        make().create_batch(job, 1, 100)
    with pytest.raises(ValueError, match="no job"):
        tracker.create_batch(10**9, 1, 100)
    assert [row["id"] for row in tracker.get_pending_batches(job)] == [first, second]
    assert tracker.mark_batch_uploaded(first)
    assert tracker.mark_batch_error(second, "connection reset")
    uploaded = {"id": first, "batch_number": 1, "image_count": 100, "status": "completed", "error": ""}
    broken = {"id": second, "batch_number": 12, "image_count": 50, "status": "error", "error": "connection reset"}
    assert make().get_uploaded_batches(job) == [uploaded]
    assert tracker.get_pending_batches(job) == [broken]
    assert tracker.mark_batch_uploaded(second)
    assert tracker.get_pending_batches(job) == []
    assert tracker.get_pending_images(job)[0][1] == Path("a.jpg")
    with pytest.raises(KeyError):
        tracker.mark_completed(first)
    assert phase_of(site, f"{name}/upload")["done"] == 2


def test_a_job_with_retries_gives_a_failed_image_again_when_it_is_due(tracker: ProgressTracker, name: str) -> None:
    job = tracker.create_job(name, PATHS[:1], retries=1, retry_delay=1)
    [image] = ids(tracker, job)
    assert tracker.mark_error(image, "disk full")
    assert ids(tracker, job) == []
    eventually(lambda: ids(tracker, job) == [image], what="the retry")
    assert tracker.mark_error(image, "disk full")
    tracker.checkpoint(job)
    assert figures(tracker, job) == (1, 0, 1, 0)
