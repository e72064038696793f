"""Which job and which phases an event is for, and when they take it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jobs import operations, tracking
from jobs.models import InboxMessage, Item, Job
from jobs.rules.errors import BadInput, Conflict, WrongState
from jobs.tracking import NewItem
from tests.factories import WORKER, make_job, phase_of, pipeline, types
from tests.jobs.inbox.messages import (
    SERVED,
    SERVICES,
    announce,
    counts,
    frames,
    job,
    phase,
    report,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("code", SERVICES)
def test_an_unknown_job_is_made_with_the_phases_of_its_assets(code: str) -> None:
    asset, _, service = code.partition(".")
    report(code, 1)
    segmentation = [f"{asset}.segmentation"] if service == "segmentation" else []
    expected = [*segmentation, f"{asset}.embeddings", f"{asset}.keypoints"]
    assert list(job().phases.values_list("code", flat=True)) == expected
    assert (job().kind, job().project, phase(code).done) == ("vision", "", 1)


def test_phases_of_another_asset_type_come_with_its_first_event() -> None:
    announce("images", 1)
    for code in ("image.embeddings", "image.keypoints"):
        report(code, 1)
    assert job().status == "completed"
    announce("keyframes", 1)
    assert list(job().phases.values_list("code", "position")) == [
        ("image.embeddings", 0),
        ("image.keypoints", 1),
        *[(code, number) for number, code in enumerate(SERVED, 2)],
    ]
    assert (job().status, job().finished_at) == ("processing", None)
    for code in SERVED:
        report(code, 1)
    assert (job().status, types(job(), outward=True).count("job.completed")) == ("completed", 2)


def test_phases_that_come_later_take_the_threshold_of_the_jobs_creator() -> None:
    pipeline(kind="vision", asset_types=["image"], threshold=75)
    name = Job.objects.get().name
    announce("keyframes", 4, job=name)
    assert {p.threshold for p in job(name).phases.all()} == {75}


def test_a_masked_asset_of_a_job_without_segmentation_is_refused() -> None:
    announce("images", 5)
    before = counts()
    with pytest.raises(BadInput, match=r"no phase image\.segmentation"):
        report("image.segmentation", 1)
    assert counts() == before


def test_a_job_with_segmentation_is_announced_there() -> None:
    name = pipeline(kind="vision", asset_types=["image"]).name
    assert announce("images", 5, job=name).phases == ["image.segmentation"]
    assert send("products.image.ready", image_id="a", job=name).phases == ["image.segmentation"]
    assert [p.expected for p in job(name).phases.all()] == [5, None, None]


def test_an_unknown_key_of_a_listed_phase_is_refused() -> None:
    made = pipeline(kind="vision", asset_types=["image"])
    tracking.add_items(phase_of(made, "image.embeddings"), items=[NewItem("a")], by=WORKER)
    with pytest.raises(BadInput) as refusal:
        send("image.embedding.ready", asset_id="b", job=made.name)
    assert list(refusal.value.errors) == ["data.asset_id"]


def test_listed_phases_grow_with_the_frames_of_events() -> None:
    made = pipeline(kind="vision", asset_types=["video"])
    tracking.add_items(phase_of(made, "video.segmentation"), items=[NewItem("f1")], by=WORKER)
    frames(["f2"], job=made.name)
    assert (
        phase("video.segmentation", of=made.name).items_total,
        phase("video.segmentation", of=made.name).listed,
    ) == (2, True)


def test_a_job_of_another_kind_is_not_for_events() -> None:
    make_job(name="batch", items=1)
    with pytest.raises(Conflict) as refusal:
        announce("images", 1)
    assert refusal.value.code == "name_taken"


def test_a_counted_phase_takes_no_events_of_items() -> None:
    made = pipeline(kind="vision", asset_types=["image"])
    tracking.count(phase_of(made, "image.embeddings"), done=1, event_id=uuid4(), by=WORKER)
    with pytest.raises(WrongState):
        report("image.embeddings", 1, job=made.name)
    assert not InboxMessage.objects.filter(source="test").exists()


def test_a_cancelled_job_takes_nothing_and_forgets_what_it_was_told() -> None:
    announce("images", 5)
    operations.cancel(job(), actor=None, reason="Wrong.")
    before = counts()
    event_id = str(uuid4())
    closed = [
        send("image.embedding.ready", asset_id="a", event_id=event_id),
        send("products.image.ready", image_id="a"),
        announce("keyframes", 5),
    ]
    assert [taken.reason for taken in closed] == ["closed"] * 3
    assert counts() == before
    operations.restart(job(), phase="image.embeddings", actor=None)
    assert send("image.embedding.ready", asset_id="a", event_id=event_id).applied


def test_frames_for_finished_phases_are_closed() -> None:
    announce("keyframes", 0)
    assert frames(["late"]).reason == "closed"
    assert not Item.objects.exists()
