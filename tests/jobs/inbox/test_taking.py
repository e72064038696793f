"""Events of producers: what each does to its job, and what repeating it does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from jobs import inbox, operations, tracking, watchdog
from jobs.errors import BadInput, Conflict, NotPermitted, WrongState
from jobs.models import Event, InboxMessage, Item, Job
from jobs.tracking import Actor, NewItem, Result
from tests.factories import WORKER, make_job, operator, outward, phase_of, pipeline, types
from tests.jobs.inbox.messages import PRODUCER, SERVICES, announce, event, frames, job, phase, report, send
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
SERVED = ("video.embeddings", "video.keypoints")


@pytest.fixture
def everything() -> Any:
    """A threshold of 100 percent."""
    with override_settings(COMPLETION_THRESHOLD_PERCENTAGE=100):
        yield


def counts() -> tuple[int, ...]:
    """How many rows there are of what an event may store."""
    return tuple(model.objects.count() for model in (Job, Item, Event, InboxMessage))


def completed(code: str, *, of: str = "batch") -> list[dict[str, Any]]:
    """The completed events of a phase."""
    return outward(job(of), f"{code}.completed")


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
    assert [inbox.take(message, source="test", by=PRODUCER).reason for _ in range(2)] == [None, "duplicate"]
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


def test_one_bad_entry_refuses_all() -> None:
    entries: list[dict[str, Any]] = [{"frame_id": "f1"}, {"frame_id": "f2"}, {"frame": "f3"}]
    with pytest.raises(BadInput) as refusal:
        send("videos.keyframes.ready", video_id="v", frames=entries)
    assert refusal.value.errors == {"data.frames[2].frame_id": "This field is required."}
    assert counts() == (0, 0, 0, 0)


def test_a_frame_with_too_much_beside_its_id_refuses_all() -> None:
    entries = [{"frame_id": "f1"}, {"frame_id": "f2", "blob": "x" * 17_000}]
    with pytest.raises(BadInput) as refusal:
        send("videos.keyframes.ready", video_id="v", frames=entries)
    assert list(refusal.value.errors) == ["data.frames[1]"]
    assert counts() == (0, 0, 0, 0)


@pytest.mark.parametrize("total", [-5, 3.5, 3.0, "ten", True, None, 2**53 + 1])
def test_a_total_that_is_no_count_is_refused(total: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        send("products.images.ready.batch", total_images=total)
    assert list(refusal.value.errors) == ["data.total_images"]
    assert counts() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "type"),
        ({"type": "video.embeddings.completed", "data": {}}, "type"),
        ({"type": ["x"], "data": {}}, "type"),
        ({"type": "products.image.ready"}, "data"),
        ({"type": "products.image.ready", "data": []}, "data"),
        ({"type": "products.image.ready", "data": {"job_id": "a"}}, "data.image_id"),
        ({"type": "products.image.ready", "data": {"job_id": "", "image_id": "a"}}, "data.job_id"),
        ({"type": "products.image.ready", "data": {"job_id": "x" * 201, "image_id": "a"}}, "data.job_id"),
        ({"type": "products.image.ready", "data": {"job_id": "a", "image_id": "x" * 1025}}, "data.image_id"),
        ({"type": "products.image.ready", "data": {"job_id": "a", "image_id": "b", "event_id": "7"}}, "data.event_id"),
    ],
)
def test_what_breaks_its_contract_is_refused_by_the_name_of_its_field(message: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        inbox.take(message, source="test", by=PRODUCER)
    assert list(refusal.value.errors) == [field]
    assert counts() == (0, 0, 0, 0)


def test_an_event_id_is_remembered_per_source() -> None:
    event_id = str(uuid4())
    announce("images", 5, event_id=event_id)
    assert send("image.embedding.ready", asset_id="a", event_id=event_id, source="other").applied


@pytest.mark.parametrize(
    "other",
    [
        {"type": "image.embedding.ready", "asset_id": "b"},
        {"type": "image.keypoint.ready", "asset_id": "a"},
        {"type": "image.embedding.ready", "asset_id": "a", "job": "another"},
        {"type": "products.images.ready.batch", "total_images": 4},
    ],
)
def test_an_event_id_of_another_event_is_refused(other: dict[str, Any]) -> None:
    event_id = str(uuid4())
    send("image.embedding.ready", asset_id="a", event_id=event_id)
    before = counts()
    with pytest.raises(BadInput) as refusal:
        send(**other, event_id=event_id)
    assert refusal.value.code == "event_id_reused"
    assert counts() == before


def test_an_announcement_for_another_job_may_not_use_the_same_id() -> None:
    event_id = str(uuid4())
    announce("images", 5, event_id=event_id)
    with pytest.raises(BadInput):
        announce("images", 5, event_id=event_id, job="another")
    assert not Job.objects.filter(name="another").exists()


def test_the_id_is_remembered_only_with_its_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = str(uuid4())
    announce("images", 5)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.change.core.settle", broken)
    with pytest.raises(RuntimeError):
        send("image.embedding.ready", asset_id="a", event_id=event_id)
    monkeypatch.undo()
    assert send("image.embedding.ready", asset_id="a", event_id=event_id).applied
    assert phase("image.embeddings").done == 1


def test_an_account_sees_and_makes_only_jobs_of_its_projects() -> None:
    limited = Actor(account=operator(projects=["red"]))
    pipeline(kind="vision", project="red")
    red = Job.objects.get()
    assert inbox.take(
        event("products.images.ready.batch", job=red.name, total_images=1), source="a", by=limited
    ).applied
    announce("images", 5, job="elsewhere")
    before = counts()
    with pytest.raises(Conflict) as refusal:
        inbox.take(event("products.images.ready.batch", job="elsewhere", total_images=1), source="a", by=limited)
    assert refusal.value.code == "name_taken"
    with pytest.raises(NotPermitted):
        inbox.take(event("products.images.ready.batch", job="unknown", total_images=1), source="a", by=limited)
    assert counts() == before


def test_what_an_event_costs_does_not_depend_on_its_frames(django_assert_max_num_queries: Any) -> None:
    frames(["f0"])
    with django_assert_max_num_queries(40):
        frames([f"f{n}" for n in range(2000)])
    assert phase("video.keypoints").items_total == 2000
