"""Frames, images and results of producers: what each does to its items, and what repeating it does."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from jobs import inbox, operations, tracking, watchdog
from jobs.models import InboxMessage
from jobs.tracking import Result
from tests.factories import WORKER
from tests.jobs.inbox.messages import (
    PRODUCER,
    SERVED,
    announce,
    completed,
    frames,
    job,
    phase,
    report,
    send,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def test_frames_before_their_announcement_are_pending_and_set_no_total() -> None:
    taken = frames(["f1", "f2"])
    assert (taken.applied, taken.phases) == (True, list(SERVED))
    embeddings = phase("video.embeddings")
    assert (embeddings.expected, embeddings.pending_items, embeddings.listed) == (None, 2, False)
    assert job().status == "pending"


def test_a_frame_that_was_not_listed_may_be_reported() -> None:
    frames(["f1"])
    assert report("video.embeddings", 1)[0].applied
    assert (phase("video.embeddings").done, phase("video.embeddings").items_total) == (1, 2)


def test_the_fields_of_a_frame_are_the_payload_of_its_item() -> None:
    send("videos.keyframes.ready", video_id="v1", frames=[{"frame_id": "f1", "ts": 1.5, "url": "s3://x"}])
    item = phase("video.embeddings").items.get()
    assert (item.key, item.payload) == ("f1", {"video_id": "v1", "ts": 1.5, "url": "s3://x"})


def test_an_image_is_listed_with_its_other_fields() -> None:
    send("products.image.ready", image_id="shoe.jpg", product_id="p1")
    for code in ("image.embeddings", "image.keypoints"):
        item = phase(code).items.get()
        assert (item.key, item.payload, item.status) == ("shoe.jpg", {"product_id": "p1"}, "pending")


def test_a_frame_in_two_messages_is_one_item() -> None:
    frames(["f1", "f2"])
    assert frames(["f1"], video="v2").reason == "duplicate"
    assert phase("video.embeddings").items_total == 2


def test_an_event_without_an_id_may_list_and_is_not_remembered() -> None:
    message = {"type": "products.image.ready", "data": {"job_id": "batch", "image_id": "a"}}
    assert [inbox.ingest_event(message, source="test", by=PRODUCER).reason for _ in range(2)] == [None, "duplicate"]
    assert not InboxMessage.objects.exists()


def test_an_empty_list_of_frames_makes_the_job() -> None:
    frames([])
    assert job().phases.count() == 2


def test_frames_without_an_announcement_leave_the_job_stuck(clock: Clock) -> None:
    frames(["f1"])
    send("video.embedding.ready", asset_id="f1")
    clock.forward(901)
    with override_settings(JOB_SILENT_AFTER=86_400):
        watchdog.sweep()
    assert job().stuck == "unannounced"
    operations.force_complete(job(), phase="video.embeddings", actor=None, reason="No total came.")
    [data] = completed("video.embeddings")
    assert (data["total_assets"], data["processed_assets"], data["forced"]) == (1, 1, True)


def test_an_asset_that_is_reported_twice_counts_once() -> None:
    announce("images", 10)
    assert [report("image.embeddings", 1)[0].reason for _ in range(2)] == [None, "duplicate"]
    assert phase("image.embeddings").done == 1


def test_the_same_asset_counts_in_each_phase_and_in_each_job() -> None:
    for code in ("image.embeddings", "image.keypoints"):
        report(code, 1)
        report(code, 1, job="other")
    assert [
        phase(code, of=of).done for of in ("batch", "other") for code in ("image.embeddings", "image.keypoints")
    ] == [1] * 4


def test_an_event_for_a_settled_item_with_a_checksum_is_a_duplicate() -> None:
    announce("images", 10)
    result = Result("k0", "completed", result={"checksum": "abc"})
    tracking.report(phase("image.embeddings"), worker="w1", results=[result], by=WORKER)
    assert report("image.embeddings", 1)[0].reason == "duplicate"


def test_an_event_for_a_failed_item_completes_it() -> None:
    announce("images", 10)
    tracking.report(phase("image.embeddings"), worker="w1", results=[Result("k0", "failed")], by=WORKER)
    assert report("image.embeddings", 1)[0].applied
    assert (phase("image.embeddings").done, phase("image.embeddings").failed) == (1, 0)


def test_what_an_event_costs_does_not_depend_on_its_frames(django_assert_max_num_queries: Any) -> None:
    frames(["f0"])
    with django_assert_max_num_queries(40):
        frames([f"f{n}" for n in range(2000)])
    assert phase("video.keypoints").items_total == 2000
