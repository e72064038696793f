"""Sessions: created once by their name, discovering until their list is complete."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations, tracking, watchdog
from jobs.models import Job
from jobs.rules import pipelines
from jobs.rules.errors import BadInput, Conflict, NotPermitted, WrongState
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, make_job, operator, types
from tests.jobs.rules.conftest import Clock
from tests.training.factories import (
    PHASES,
    add,
    body,
    clustering,
    completed_session,
    faces,
    finish,
    image,
    images,
    job_of,
    make_session,
    part,
    paths,
    report,
    unified,
)
from training import sessions
from training.models import TrainingImage, TrainingSession

pytestmark = pytest.mark.django_db


# --- the pipeline ------------------------------------------------------------------------------------


def test_a_session_has_three_phases_by_weight_of_which_the_later_ones_wait(settings: Any) -> None:
    settings.COMPLETION_THRESHOLD_PERCENTAGE = 85
    session = make_session(2)
    found = job_of(session).phases.order_by("position")
    assert list(found.values_list("code", "weight", "gated", "gate_open", "expected", "threshold")) == [
        ("training", 30, False, True, 2, 85),
        ("face_detection", 65, True, False, 2, 85),
        ("clustering", 5, True, False, None, 85),
    ]
    assert set(found.values_list("trigger", "on_shortfall")) == {("when_settled", "fail")}


def test_the_sentences_of_the_stages() -> None:
    session = make_session(images(2, 1))
    report(session, "training", ["completed"])
    assert job_of(session).stage == "Training image 1/3"
    report(session, "training", ["completed"], start=1)
    assert job_of(session).stage == "Detecting faces in image 0/3"
    finish(session, "face_detection")
    assert job_of(session).stage == "Clustering faces"


def test_a_session_has_its_own_phases_only() -> None:
    with pytest.raises(BadInput):
        tracking.create_job(name="t", kind="training", phases=[PhaseSpec("x")], by=WORKER)


def test_the_kind_leads_to_its_pages_and_its_endpoint() -> None:
    kind = pipelines.get("training")
    assert (kind.open, kind.created_at, kind.plural) == (False, "/api/v1/training", "Training")
    assert job_of(make_session(1)).get_absolute_url().startswith("/admin/training/")


# --- creating ----------------------------------------------------------------------------------------


def test_a_session_is_created_once_by_its_name() -> None:
    first = sessions.create_session(name="t", images=images(2), project="p", metadata={"a": 1}, by=WORKER)
    again = sessions.create_session(name="t", images=images(3), project="q", metadata={"b": 2}, by=WORKER)
    assert (first.created, again.created, first.session) == (True, False, again.session)
    job = job_of(first.session)
    assert (job.name, job.kind, job.project, job.metadata, job.pk) == ("t", "training", "p", {"a": 1}, first.session.pk)
    assert body(first.session)["images"]["total"] == 3


def test_an_empty_list_is_complete_with_nothing_to_do_but_cluster() -> None:
    session = make_session([])
    assert [part(session, code).status for code in PHASES] == ["completed", "completed"]
    assert part(session, "training").expected == 0
    assert unified(session)["overallProgress"] == {
        "percentage": 95.0, "etaSeconds": None, "currentPhase": "clustering",
    }  # fmt: skip
    clustering(session, "completed")
    assert unified(session)["overallStatus"] == "completed"


def test_a_name_of_another_kind_is_taken() -> None:
    make_job(name="t")
    with pytest.raises(Conflict) as refusal:
        make_session(1, name="t")
    assert refusal.value.code == "name_taken"
    assert not TrainingSession.objects.exists()


def test_a_training_job_that_is_no_session_is_left_alone() -> None:
    tracking.create_job(name="t", kind="training", by=WORKER)
    with pytest.raises(Conflict) as refusal:
        make_session(1, name="t")
    assert refusal.value.code == "name_taken"
    assert not TrainingSession.objects.exists()


def test_a_limited_account_creates_nothing_elsewhere() -> None:
    limited = tracking.Actor(account=operator("report", projects=["blue"]))
    with pytest.raises(NotPermitted):
        sessions.create_session(name="t", images=[], project="red", by=limited)
    assert not Job.objects.exists()


# --- discovering -------------------------------------------------------------------------------------


def test_without_a_list_a_session_is_discovering_until_it_is_complete() -> None:
    session = make_session(None)
    assert (unified(session)["overallStatus"], part(session, "training").expected) == ("discovering", None)
    add(session, *images(2))
    report(session, "training", ["completed", "completed"])
    assert unified(session)["overallStatus"] == "discovering"
    assert [part(session, code).expected for code in PHASES] == [None, None]
    progress = unified(session)["phases"]["training"]["progress"]
    assert (progress["current"], progress["total"], progress["percentage"]) == (2, 0, 0.0)
    add(session, image("last.jpg"), complete=True)
    assert [part(session, code).expected for code in PHASES] == [3, 3]
    assert unified(session)["overallStatus"] == "running"
    report_last = tracking.Result("last.jpg", "completed")
    tracking.report(part(session, "training"), worker="w", results=[report_last], by=WORKER)
    assert part(session, "training").status == "completed"


def test_completing_again_changes_nothing() -> None:
    session = make_session(None)
    add(session, *images(2), complete=True)
    revision = job_of(session).revision
    add(session, complete=True)
    assert job_of(session).revision == revision
    assert types(job_of(session)).count("training.listed") == 1


def test_a_list_that_comes_with_the_name_again_completes_a_discovering_session() -> None:
    session = make_session(None)
    add(session, image("i0.jpg"))
    assert make_session(2, name=job_of(session).name) == session
    assert (unified(session)["overallStatus"], part(session, "training").expected) == ("pending", 2)


def test_the_name_again_without_a_list_leaves_it_open() -> None:
    session = make_session(None)
    make_session(None, name=job_of(session).name)
    assert unified(session)["overallStatus"] == "discovering"


def test_a_session_that_discovers_takes_no_reports_of_images_that_it_does_not_hold() -> None:
    session = make_session(None)
    [answer] = report(session, "training", ["completed"]).results
    assert answer.outcome == "invalid"
    with pytest.raises(WrongState, match="has items"):
        tracking.start(part(session, "training"), by=WORKER)


def test_a_list_that_is_never_completed_is_stuck(clock: Clock) -> None:
    session = make_session(None)
    add(session, *images(2))
    watchdog.find_stuck(clock.forward(901))
    assert job_of(session).stuck == "unannounced"
    add(session, complete=True)
    assert job_of(session).stuck == ""


# --- too late ----------------------------------------------------------------------------------------


def trained() -> TrainingSession:
    session = make_session(2)
    finish(session, "training")
    return session


def all_failed() -> TrainingSession:
    session = make_session(2)
    report(session, "training", ["failed", "failed"])
    return session


def cancelled() -> TrainingSession:
    session = make_session(2)
    operations.cancel(job_of(session), actor=None)
    return session


def faces_forced() -> TrainingSession:
    session = make_session(2)
    operations.force_complete(job_of(session), phase="face_detection", reason="enough", actor=None)
    return session


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (trained, "training is completed; new images are possible while"),
        (all_failed, "training is failed; new images are possible while"),
        (faces_forced, "face_detection is force-completed and closed for good; new images are possible only"),
        (cancelled, "is cancelled; new images are possible only after a restart"),
    ],
)
def test_new_images_come_too_late_for_what_is_over_and_known_ones_are_fine(make: Any, why: str) -> None:
    session = make()
    before = (TrainingImage.objects.count(), job_of(session).revision)
    with pytest.raises(WrongState, match=why):
        add(session, image("new.jpg"), image("i0.jpg"))
    assert add(session, *images(2), complete=True).existing == 2
    assert make_session(images(2), name=job_of(session).name) == session
    assert (TrainingImage.objects.count(), job_of(session).revision) == before


def test_a_cancelled_session_stays_as_incomplete_as_it_was() -> None:
    session = make_session(None)
    operations.cancel(job_of(session), actor=None)
    with pytest.raises(WrongState, match="after a restart"):
        add(session, complete=True)
    assert part(session, "training").expected is None


def test_the_rest_of_a_session_whose_training_was_forced_can_still_be_closed() -> None:
    session = make_session(None)
    add(session, *images(2))
    operations.force_complete(job_of(session), phase="training", reason="enough", actor=None)
    assert unified(session)["overallStatus"] == "pending"
    add(session, complete=True)
    assert part(session, "face_detection").expected == 2


# --- the whole course --------------------------------------------------------------------------------


def test_a_whole_session_from_the_first_image_to_the_last_cluster() -> None:
    session = completed_session(4, clusters=5)
    answer = unified(session)
    assert answer["overallStatus"] == "completed"
    assert answer["overallProgress"] == {"percentage": 100.0, "etaSeconds": None, "currentPhase": "completed"}
    assert answer["phases"]["clustering"]["clustersCreated"] == 5
    assert (job_of(session).status, job_of(session).percent) == ("completed", 100)
    assert watchdog.recount() == []


def test_an_old_session_is_forgotten_with_all_that_is_its_own(clock: Clock) -> None:
    make_session(images(2, 3))
    gone = completed_session()
    faces(make_session([]), faces_detected=1)
    watchdog.prune(now=clock.forward(31 * 24 * 3600))
    assert not Job.objects.filter(pk=gone.pk).exists()
    assert not TrainingImage.objects.filter(session=gone.pk).exists()
    assert TrainingImage.objects.count() == len(paths(5))
