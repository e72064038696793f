"""Face detection: one image after the other through the kernel, and what its workers tell beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from jobs import operations, tracking, watchdog
from jobs.rules.errors import WrongState
from jobs.tracking import Actor, Result
from tests.factories import WORKER, outcomes
from tests.jobs.races.concurrency import assert_whole, threads
from tests.jobs.rules.conftest import Clock
from tests.training.factories import (
    body,
    clustering,
    faces,
    finish,
    images,
    job_of,
    make_session,
    part,
    paths,
    report,
    unified,
)
from training import sessions
from training.models import FaceDetectionSession, TrainingSession

pytestmark = pytest.mark.django_db
NOTHING = {
    "faces_detected": 0, "faces_assigned": 0, "current_asset_index": 0, "current_batch": 0,
    "total_batches": None, "min_confidence": None, "batch_size": None,
}  # fmt: skip


def detecting(number: int = 3) -> TrainingSession:
    """A session whose images are trained."""
    session = make_session(number)
    finish(session, "training")
    return session


def shown(session: TrainingSession) -> dict[str, Any]:
    """The faces of its body."""
    return dict(body(session)["faces"] or {})


# --- image by image ----------------------------------------------------------------------------------


def test_the_percentage_moves_with_every_image_and_not_only_with_every_batch() -> None:
    session = detecting(666)
    seen = []
    for batch in range(3):
        held = tracking.claim(part(session, "face_detection"), worker="w1", limit=16, by=Actor(name="w1")).items
        for item in held:
            done = [Result(item.key, "completed", item.attempt)]
            tracking.report(part(session, "face_detection"), worker="w1", results=done, by=WORKER)
            seen.append(unified(session)["phases"]["faceDetection"]["progress"]["percentage"])
        assert len(seen) == 16 * (batch + 1)
    assert len(set(seen[:16])) == 16
    assert len(set(seen[:: len(seen) // 10][:10])) == 10
    assert seen == sorted(seen)


@pytest.mark.django_db(transaction=True)
def test_one_image_each_by_four_workers_a_hundred_times_makes_four_hundred() -> None:
    def report_each(session: TrainingSession, worker: int) -> None:
        for n in range(100):
            report(session, "face_detection", ["completed"], start=100 * worker + n)
            report(session, "face_detection", ["completed"], start=n)

    with threads(4) as team:
        session = detecting(400)
        team.at_once(*[partial(report_each, session, worker) for worker in range(4)])
        assert (part(session, "face_detection").done, part(session, "face_detection").status) == (400, "completed")
        assert_whole(job_of(session))


def test_images_of_a_dead_worker_are_taken_up_by_the_next_and_the_total_stays(clock: Clock) -> None:
    session = detecting(10)
    phase = part(session, "face_detection")
    held = tracking.claim(phase, worker="dead", limit=4, by=WORKER).items
    tracking.report(phase, worker="dead", results=[Result(held[0].key, "completed", 1)], by=WORKER)
    watchdog.expire_leases(clock.forward(91))
    phase = part(session, "face_detection")
    assert (phase.done, phase.processing, phase.pending_items, phase.expected) == (1, 0, 9, 10)
    finish(session, "face_detection")
    late = [Result(item.key, "completed", item.attempt) for item in held[1:]]
    answer = tracking.report(part(session, "face_detection"), worker="dead", results=late, by=WORKER)
    assert outcomes(answer) == ["duplicate"] * 3
    assert (part(session, "face_detection").done, part(session, "face_detection").status) == (10, "completed")


def test_faces_are_looked_for_only_after_training() -> None:
    session = make_session(2)
    answer = tracking.claim(part(session, "face_detection"), worker="w", by=WORKER)
    assert (answer.items, answer.reason) == ([], "gated")
    assert outcomes(report(session, "face_detection", ["completed"])) == ["closed"]


# --- what workers tell -------------------------------------------------------------------------------


def test_nothing_told_is_no_detection_session() -> None:
    session = detecting()
    assert body(session)["faces"] is None
    assert unified(session)["phases"]["faceDetection"]["facesDetected"] == 0


def test_the_first_word_begins_a_detection_session() -> None:
    session = detecting()
    faces(session)
    assert shown(session) == {"run": 1, **NOTHING}


def test_told_values_are_absolute_and_what_is_left_out_stays() -> None:
    session = detecting()
    faces(session, faces_detected=12, faces_assigned=9, current_batch=2, total_batches=42, batch_size=16)
    faces(session, min_confidence=0.6, current_asset_index=32)
    assert shown(session) == {
        "run": 1, "faces_detected": 12, "faces_assigned": 9, "current_asset_index": 32, "current_batch": 2,
        "total_batches": 42, "min_confidence": 0.6, "batch_size": 16,
    }  # fmt: skip
    assert unified(session)["phases"]["faceDetection"]["facesDetected"] == 12


@pytest.mark.parametrize("name", ["faces_detected", "faces_assigned", "current_asset_index", "current_batch"])
def test_counts_never_get_lower_within_a_run(name: str) -> None:
    session = detecting()
    for sent, kept in ((7, 7), (3, 7), (0, 7), (9, 9)):
        faces(session, **{name: sent})
        assert shown(session)[name] == kept


@pytest.mark.parametrize(("name", "values"), [
    ("total_batches", (42, 7, None)), ("batch_size", (16, 8, None)), ("min_confidence", (0.6, 0.1, None)),
])  # fmt: skip
def test_what_describes_the_work_is_replaced(name: str, values: tuple[Any, ...]) -> None:
    session = detecting()
    for value in values:
        faces(session, **{name: value})
        assert shown(session)[name] == value


def test_the_index_is_at_least_what_is_settled() -> None:
    session = detecting(5)
    report(session, "face_detection", ["completed", "failed", "completed"])
    faces(session, current_asset_index=1)
    assert shown(session)["current_asset_index"] == 3
    faces(session, current_asset_index=4)
    assert shown(session)["current_asset_index"] == 4


def test_a_word_is_a_sign_of_life_and_moves_the_revision_where_it_changes_something(
    clock: Clock, broadcasts: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    session = detecting()
    faces(session, faces_detected=1)
    revision, now = job_of(session).revision, clock.forward(30)
    with django_capture_on_commit_callbacks(execute=True):
        faces(session, faces_detected=1)
    assert (job_of(session).revision, job_of(session).heartbeat_at, broadcasts) == (revision, now, [])
    with django_capture_on_commit_callbacks(execute=True):
        faces(session, faces_detected=2)
    assert (job_of(session).revision, broadcasts) == (revision + 1, [session.pk])
    assert FaceDetectionSession.objects.get().updated_at == now


def test_faces_may_be_told_late_while_the_job_goes_on_or_is_paused() -> None:
    session = detecting()
    operations.pause(job_of(session), actor=None)
    faces(session, faces_detected=1)
    operations.resume(job_of(session), actor=None)
    finish(session, "face_detection")
    faces(session, faces_detected=2)
    assert shown(session)["faces_detected"] == 2


def gated() -> TrainingSession:
    return make_session(2)


def cancelled() -> TrainingSession:
    session = detecting()
    faces(session, faces_detected=1)
    operations.cancel(job_of(session), actor=None)
    return session


def forced() -> TrainingSession:
    session = detecting()
    operations.force_complete(job_of(session), phase="face_detection", reason="enough", actor=None)
    return session


@pytest.mark.parametrize(("make", "why"), [(gated, "gated"), (cancelled, "cancelled"), (forced, "force-completed")])
def test_faces_are_not_taken_where_the_phase_takes_nothing(
    make: Callable[[], TrainingSession], why: str, clock: Clock
) -> None:
    session = make()
    before, heard = body(session), job_of(session).heartbeat_at
    clock.forward(5)
    with pytest.raises(WrongState, match=why):
        faces(session, faces_detected=99)
    assert (body(session)["faces"], job_of(session).heartbeat_at) == (before["faces"], heard)
    assert job_of(session).revision == before["job"]["revision"]


def test_a_restart_begins_a_new_detection_session_and_the_newest_counts() -> None:
    session = detecting(2)
    faces(session, faces_detected=12)
    finish(session, "face_detection")
    sessions.restart(session, what="faces", actor=None)
    assert body(session)["faces"] is None
    assert unified(session)["phases"]["faceDetection"]["facesDetected"] == 0
    faces(session, faces_detected=4)
    assert (shown(session)["run"], shown(session)["faces_detected"]) == (2, 4)
    runs = FaceDetectionSession.objects.filter(session=session).order_by("run")
    assert list(runs.values_list("run", "faces_detected")) == [(1, 12), (2, 4)]


def test_a_restart_by_another_door_begins_one_too() -> None:
    session = detecting(2)
    faces(session, faces_detected=12)
    operations.restart(job_of(session), phase="training", actor=None)
    finish(session, "training")
    faces(session, faces_detected=1)
    assert shown(session)["run"] == 2


def test_what_two_tell_at_once_is_the_higher_of_both() -> None:
    session = detecting()
    first, second = TrainingSession.objects.get(pk=session.pk), TrainingSession.objects.get(pk=session.pk)
    faces(first, faces_detected=9)
    faces(second, faces_detected=5, faces_assigned=5)
    assert (shown(session)["faces_detected"], shown(session)["faces_assigned"]) == (9, 5)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_tell_at_once_none_is_lost_and_one_session_is_begun() -> None:
    with threads(4) as team:
        for _ in range(5):
            session = detecting(2)
            team.at_once(*[partial(faces, session, faces_detected=n, current_batch=9 - n) for n in range(4)])
            assert (shown(session)["faces_detected"], shown(session)["current_batch"]) == (3, 9)
            assert FaceDetectionSession.objects.filter(session=session).count() == 1


def test_what_cannot_be_written_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, broadcasts: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    session = detecting()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with django_capture_on_commit_callbacks(execute=True), monkeypatch.context() as broken:
        broken.setattr("jobs.change.transactions.commit_changes", fails)
        with pytest.raises(RuntimeError):
            faces(session, faces_detected=1)
    assert (body(session)["faces"], broadcasts) == (None, [])


def test_with_nothing_to_detect_the_phase_is_complete() -> None:
    session = make_session([])
    assert unified(session)["phases"]["faceDetection"]["status"] == "completed"
    clustering(session, "running")
    assert unified(session)["phases"]["faceDetection"]["progress"]["percentage"] == 100.0


def test_where_every_image_failed_detection_has_failed() -> None:
    session = detecting(3)
    report(session, "face_detection", ["failed"] * len(paths(3)))
    assert unified(session)["phases"]["faceDetection"]["status"] == "failed"
    assert unified(session)["overallStatus"] == "failed"
    assert body(session)["job"]["error"] == "i2.jpg failed: broken file"


def test_duplicates_are_looked_at_too() -> None:
    session = make_session(images(1, 9))
    finish(session, "training", "face_detection")
    assert part(session, "face_detection").done == 10
