"""Announcements of producers: what a total does to its job, and what repeating it does."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jobs import watchdog
from jobs.rules.errors import BadInput
from tests.factories import outward, types
from tests.jobs.inbox.messages import (
    SERVED,
    announce,
    completed,
    counts,
    job,
    phase,
    report,
    send,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("everything")
def test_a_batch_and_its_frames_give_one_completed_event_for_each_consumer() -> None:
    announce("keyframes", 100)
    for code in SERVED:
        report(code, 100)
        [data] = completed(code)
        assert (data["processed_assets"], data["total_assets"], data["has_partial_completion"]) == (100, 100, False)
    assert job().status == "completed"
    assert types(job(), outward=True) == [*[f"{code}.completed" for code in SERVED], "job.completed"]


@pytest.mark.usefixtures("everything")
def test_a_batch_whose_frames_stay_out_is_partial_after_the_ttl(clock: Clock) -> None:
    announce("keyframes", 10)
    for code in SERVED:
        report(code, 6)
    clock.forward(901)
    watchdog.sweep()
    for code in SERVED:
        [data] = completed(code)
        assert (data["processed_assets"], data["total_assets"], data["has_partial_completion"]) == (6, 10, True)


def test_the_same_batch_message_again_is_a_duplicate_and_moves_no_deadline(clock: Clock) -> None:
    event_id = str(uuid4())
    assert announce("keyframes", 100, event_id=event_id).applied
    deadline = phase("video.embeddings").deadline_at
    clock.forward(60)
    again = announce("keyframes", 100, event_id=event_id)
    assert (again.applied, again.reason) == (False, "duplicate")
    assert again.phases == list(SERVED)
    assert (phase("video.embeddings").expected, phase("video.embeddings").deadline_at) == (100, deadline)


def test_the_same_event_id_with_another_total_is_a_duplicate_too() -> None:
    event_id = str(uuid4())
    announce("keyframes", 100, event_id=event_id)
    assert announce("keyframes", 120, event_id=event_id).reason == "duplicate"
    assert phase("video.embeddings").expected == 100


def test_the_same_total_under_another_id_changes_nothing() -> None:
    announce("keyframes", 100)
    assert announce("keyframes", 100).reason == "same_total"


def test_a_conflicting_announcement_before_completion_wins_and_is_recorded() -> None:
    announce("keyframes", 100)
    assert announce("keyframes", 120).applied
    assert [phase(code).expected for code in SERVED] == [120, 120]
    assert types(job()).count("video.embeddings.announced") == 2


def test_an_announcement_after_completion_is_recorded_only() -> None:
    announce("keyframes", 2)
    for code in SERVED:
        report(code, 2)
    before = outward(job())
    assert announce("keyframes", 150).reason == "closed"
    assert (job().status, phase("video.embeddings").expected) == ("completed", 2)
    assert outward(job()) == before
    assert "after it was completed" in job().events.filter(type="video.embeddings.announced").first().detail  # type: ignore[union-attr]


@pytest.mark.usefixtures("everything")
def test_the_frames_of_several_videos_count_for_one_job() -> None:
    announce("keyframes", 10)
    report("video.embeddings", 4)
    report("video.embeddings", 3, start=4)
    assert completed("video.embeddings") == []
    report("video.embeddings", 3, start=7)
    assert len(completed("video.embeddings")) == 1


@pytest.mark.parametrize("names", [("total_keyframes",), ("total_frames",), ("total_keyframes", "total_frames")])
def test_a_total_of_keyframes_has_two_names(names: tuple[str, ...]) -> None:
    send("videos.keyframes.ready.batch", **dict.fromkeys(names, 100))
    assert phase("video.keypoints").expected == 100


def test_two_totals_that_disagree_are_refused() -> None:
    with pytest.raises(BadInput) as refusal:
        send("videos.keyframes.ready.batch", total_keyframes=100, total_frames=99)
    assert list(refusal.value.errors) == ["data.total_keyframes", "data.total_frames"]
    assert counts() == (0, 0, 0, 0)


@pytest.mark.usefixtures("everything")
def test_an_idle_consumer_holds_up_nobody_else() -> None:
    announce("keyframes", 10)
    report("video.embeddings", 10)
    idle = phase("video.keypoints")
    assert (idle.status, idle.done, idle.expected) == ("pending", 0, 10)
    assert len(completed("video.embeddings")) == 1


def test_at_ninety_percent_the_event_says_so_and_the_rest_counts_late() -> None:
    announce("keyframes", 100)
    report("video.embeddings", 100)
    [data] = completed("video.embeddings")
    assert (data["processed_assets"], data["has_partial_completion"]) == (90, True)
    assert phase("video.embeddings").done == 100


def test_a_deadline_is_gone_once_the_threshold_was_met(clock: Clock) -> None:
    announce("keyframes", 10)
    report("video.embeddings", 9)
    assert phase("video.embeddings").deadline_at is None
    clock.forward(901)
    watchdog.sweep()
    assert len(completed("video.embeddings")) == 1


@pytest.mark.parametrize("what", ["images", "keyframes"])
def test_a_total_of_zero_completes_the_job_at_once(what: str) -> None:
    taken = announce(what, 0)
    assert job().status == "completed"
    for code in taken.phases:
        [data] = completed(code)
        figures = ("total_assets", "processed_assets", "failed_assets", "has_partial_completion")
        assert [data[name] for name in figures] == [0, 0, 0, False]
        assert phase(code).deadline_at is None
