"""From segmentation to embeddings and keypoints, and a vision job that is made only of events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings

from jobs import contracts, operations, tracking, watchdog
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Result
from tests.factories import WORKER, outward, phase_of, pipeline, types
from tests.jobs.inbox.messages import announce, frames, job, phase, report
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
MASKED = {
    "image": ("products.images.masked.batch", "total_images", "images"),
    "video": ("video.keyframes.masked.batch", "total_keyframes", "keyframes"),
}


def vision(asset: str, **fields: Any) -> str:
    """A vision job over one asset type, by REST; its name."""
    return pipeline(kind="vision", asset_types=[asset], **fields).name


def batches(asset: str, *, of: str = "batch") -> list[dict[str, Any]]:
    """The masked batches that were sent."""
    return outward(job(of), MASKED[asset][0])


@pytest.mark.parametrize("asset", MASKED)
@pytest.mark.parametrize(("done", "how"), [(5, "all_done"), (3, "forced"), (3, "watermark"), (0, "forced")])
def test_the_masked_batch_says_how_many_succeeded(asset: str, done: int, how: str, clock: Clock) -> None:
    batch, total, what = MASKED[asset]
    name = vision(asset, threshold=100)
    code = f"{asset}.segmentation"
    announce(what, 5, job=name)
    report(code, done, job=name)
    if how == "forced":
        operations.force_complete(job(name), phase=code, actor=None, reason="Enough.")
    if how == "watermark":
        clock.forward(901)
        watchdog.sweep()
    [data] = batches(asset, of=name)
    assert (data[total], data["job_id"]) == (done, name)
    assert contracts.check(batch, data) == []
    [completed] = outward(job(name), f"{code}.completed")
    figures = ("total_assets", "processed_assets", "has_partial_completion", "completed_by")
    assert [completed[field] for field in figures] == [5, done, done < 5, how]
    assert [phase(f"{asset}.{service}", of=name).expected for service in ("embeddings", "keypoints")] == [done, done]


@pytest.mark.parametrize("asset", MASKED)
def test_it_leaves_at_the_moment_of_the_completed_event(asset: str) -> None:
    batch, _, what = MASKED[asset]
    name = vision(asset)
    announce(what, 2, job=name)
    report(f"{asset}.segmentation", 2, job=name)
    rows = {event.type: event for event in job(name).events.filter(outward=True)}
    completed, masked = rows[f"{asset}.segmentation.completed"], rows[batch]
    assert (masked.at, masked.pk) == (completed.at, completed.pk + 1)
    assert (masked.phase, masked.run) == (completed.phase, 1)
    assert UUID(masked.data["event_id"]) == masked.event_id != completed.event_id


def test_failed_and_skipped_images_are_not_in_the_masked_batch() -> None:
    name = vision("image", threshold=0)
    announce("images", 4, job=name)
    assert batches("image", of=name)[0]["total_images"] == 0
    name = vision("image", threshold=60)
    statuses = ["completed", "skipped", "failed", "completed"]
    results = [Result(f"k{n}", status) for n, status in enumerate(statuses)]
    tracking.report(phase("image.segmentation", of=name), results=results, by=WORKER)
    announce("images", 4, job=name)
    assert batches("image", of=name)[0]["total_images"] == 2


def test_nothing_masked_means_nothing_to_do_behind_it() -> None:
    name = vision("video")
    announce("keyframes", 0, job=name)
    assert job(name).status == "completed"
    assert [p.completed_by for p in job(name).phases.all()] == ["all_done"] * 3


def test_phases_that_stand_before_segmentation_are_judged_too() -> None:
    phases = [PhaseSpec(code=f"image.{service}") for service in ("embeddings", "keypoints", "segmentation")]
    name = pipeline(*phases, kind="vision").name
    announce("images", 0, job=name)
    assert job(name).status == "completed"


def test_late_images_send_no_second_masked_batch() -> None:
    name = vision("image")
    announce("images", 10, job=name)
    report("image.segmentation", 10, job=name)
    assert [data["total_images"] for data in batches("image", of=name)] == [9]
    assert phase("image.segmentation", of=name).done == 10


def test_a_new_run_of_segmentation_sends_another_masked_batch() -> None:
    name = vision("image", threshold=100)
    announce("images", 1, job=name)
    report("image.segmentation", 1, job=name)
    operations.restart(job(name), phase="image.segmentation", actor=None)
    tracking.report(phase("image.segmentation", of=name), results=[Result("k0", "completed")], by=WORKER)
    ids = {data["event_id"] for data in batches("image", of=name)}
    assert len(ids) == len(batches("image", of=name)) == 2


def test_only_the_same_assets_are_announced() -> None:
    name = pipeline(kind="vision").name
    announce("images", 1, job=name)
    report("image.segmentation", 1, job=name)
    expected = dict(job(name).phases.values_list("code", "expected"))
    assert expected == {
        **{f"image.{service}": 1 for service in ("segmentation", "embeddings", "keypoints")},
        **{f"video.{service}": None for service in ("segmentation", "embeddings", "keypoints")},
    }


def test_a_failed_or_cancelled_segmentation_sends_nothing() -> None:
    name = vision("image")
    announce("images", 5, job=name)
    operations.fail(job(name), actor=None, reason="Broken.")
    assert not batches("image", of=name)
    other = vision("image")
    announce("images", 5, job=other)
    operations.cancel(job(other), actor=None, reason="Wrong.")
    assert not batches("image", of=other)


def test_other_kinds_send_no_masked_batch() -> None:
    made = pipeline(PhaseSpec(code="image.segmentation", expected=1))
    tracking.report(phase_of(made), results=[Result("a", "completed")], by=WORKER)
    assert types(made, outward=True) == ["image.segmentation.completed", "job.completed"]


def test_a_job_made_only_of_events_runs_to_its_end() -> None:
    frames([f"k{n}" for n in range(3)])
    announce("keyframes", 5)
    for code in ("video.embeddings", "video.keypoints"):
        report(code, 5)
    assert (job().status, job().percent, job().partial) == ("completed", 100, False)
    assert types(job(), outward=True) == ["video.embeddings.completed", "video.keypoints.completed", "job.completed"]


@override_settings(COMPLETION_THRESHOLD_PERCENTAGE=100)
def test_a_job_made_only_of_events_with_segmentation_runs_to_its_end() -> None:
    report("video.segmentation", 1)
    announce("keyframes", 3)
    report("video.segmentation", 2, start=1)
    [data] = batches("video")
    assert data["total_keyframes"] == 3
    for code in ("video.embeddings", "video.keypoints"):
        report(code, 3)
    assert job().status == "completed"
    assert types(job(), outward=True) == [
        "video.segmentation.completed",
        "video.keyframes.masked.batch",
        "video.embeddings.completed",
        "video.keypoints.completed",
        "job.completed",
    ]
    for event in job().events.filter(outward=True):
        assert contracts.check(event.type, event.data) == []
