"""The unified answer: one honest number over three phases, under exactly the keys that its client knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs import operations, watchdog
from tests.interleaving import before_the_phases_are_read
from tests.jobs.api.contract import document
from tests.jobs.rules.conftest import Clock
from tests.training.conftest import TrainingApi
from tests.training.contract import KEYS, flat, value_at
from tests.training.factories import (
    add,
    clustering,
    completed_session,
    faces,
    finish,
    image,
    images,
    job_of,
    make_session,
    part,
    ready,
    report,
    unified,
)
from training import sessions
from training.models import TrainingSession

pytestmark = pytest.mark.django_db
Make = Callable[[], TrainingSession]


def pending() -> TrainingSession:
    return make_session(images(3, 2))


def discovering() -> TrainingSession:
    session = make_session(None)
    add(session, *images(3))
    report(session, "training", ["completed"])
    return session


def training() -> TrainingSession:
    session = make_session(100)
    report(session, "training", ["completed"] * 50)
    return session


def detecting() -> TrainingSession:
    session = make_session(1000)
    finish(session, "training")
    report(session, "face_detection", ["completed"] * 500)
    faces(session, faces_detected=712)
    return session


def clustered() -> TrainingSession:
    session = ready()
    clustering(session, "running", current=1, total=3)
    return session


def paused() -> TrainingSession:
    session = training()
    operations.pause(job_of(session), actor=None)
    return session


def cancelled() -> TrainingSession:
    session = detecting()
    operations.cancel(job_of(session), actor=None)
    return session


def failed() -> TrainingSession:
    session = make_session(images(2, 1))
    report(session, "training", ["failed", "failed"])
    return session


STATES: list[tuple[Make, str, float, str]] = [
    (pending, "pending", 12.0, "training"),
    (discovering, "discovering", 0.0, "training"),
    (training, "running", 15.0, "training"),
    (detecting, "running", 62.5, "face_detection"),
    (ready, "running", 95.0, "clustering"),
    (clustered, "running", 96.67, "clustering"),
    (completed_session, "completed", 100.0, "completed"),
    (paused, "paused", 15.0, "training"),
    (cancelled, "cancelled", 62.5, "face_detection"),
    (failed, "failed", 10.0, "training"),
]
MAKERS = [make for make, *_ in STATES]


@pytest.mark.parametrize(
    ("make", "status", "percentage", "phase"), STATES, ids=lambda one: getattr(one, "__name__", "")
)
def test_every_state_has_its_status_percentage_and_phase(
    make: Make, status: str, percentage: float, phase: str
) -> None:
    answer = unified(make())
    assert answer["overallStatus"] == status
    assert (answer["overallProgress"]["percentage"], answer["overallProgress"]["currentPhase"]) == (percentage, phase)


def statuses(session: TrainingSession) -> list[str]:
    """The status of each phase, in order."""
    phases = unified(session)["phases"]
    return [phases["training"]["status"], phases["faceDetection"]["status"], phases["clustering"]["status"]]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (pending, ["pending", "pending", "pending"]),
        (training, ["running", "pending", "pending"]),
        (detecting, ["completed", "running", "pending"]),
        (clustered, ["completed", "completed", "running"]),
        (completed_session, ["completed", "completed", "completed"]),
        (paused, ["paused", "pending", "pending"]),
        (cancelled, ["completed", "cancelled", "cancelled"]),
        (failed, ["failed", "pending", "pending"]),
    ],
)
def test_every_phase_has_its_own_status(make: Make, expected: list[str]) -> None:
    assert statuses(make()) == expected


@pytest.mark.parametrize(
    ("make", "act", "status"),
    [
        (discovering, operations.pause, "paused"),
        (discovering, operations.cancel, "cancelled"),
        (discovering, operations.fail, "failed"),
        (training, operations.fail, "failed"),
        (pending, operations.pause, "paused"),
        (failed, operations.cancel, "cancelled"),
    ],
)
def test_what_an_operator_has_set_comes_before_discovering_and_running(make: Make, act: Any, status: str) -> None:
    session = make()
    act(job_of(session), actor=None)
    assert unified(session)["overallStatus"] == status


def test_what_has_not_begun_stays_pending_while_paused() -> None:
    session = pending()
    operations.pause(job_of(session), actor=None)
    assert statuses(session) == ["pending", "pending", "pending"]


def test_a_resumed_session_is_running_and_a_resumed_discovering_one_is_discovering() -> None:
    for make, status in ((training, "running"), (discovering, "discovering")):
        session = make()
        operations.pause(job_of(session), actor=None)
        operations.resume(job_of(session), actor=None)
        assert unified(session)["overallStatus"] == status


def test_a_total_that_is_unknown_is_0_and_divides_nothing() -> None:
    session = make_session(None)
    for phase in (unified(session)["phases"]["training"], unified(session)["phases"]["clustering"]):
        assert (phase["progress"]["current"], phase["progress"]["total"], phase["progress"]["percentage"]) == (
            0,
            0,
            0.0,
        )
    assert unified(session)["overallProgress"] == {"percentage": 0.0, "etaSeconds": None, "currentPhase": "training"}


def test_a_phase_that_completed_with_some_failed_counts_as_whole() -> None:
    session = make_session(10)
    report(session, "training", ["completed"] * 9 + ["failed"])
    progress = unified(session)["phases"]["training"]["progress"]
    assert (progress["current"], progress["failed"], progress["percentage"]) == (9, 1, 100.0)
    assert unified(session)["overallProgress"]["percentage"] == 30.0


def test_a_failed_phase_keeps_its_part() -> None:
    session = make_session(10)
    finish(session, "training")
    report(session, "face_detection", ["completed"] * 5 + ["failed"] * 5)
    answer = unified(session)
    assert answer["phases"]["faceDetection"]["progress"]["percentage"] == 50.0
    assert (answer["overallStatus"], answer["overallProgress"]["percentage"]) == ("failed", 62.5)


def test_nothing_is_100_while_something_is_open() -> None:
    session = make_session(20_001)
    operations.set_threshold(job_of(session), phase="training", threshold=100, actor=None)
    keys = [f"i{n}.jpg" for n in range(20_001)]
    for start in range(0, 20_000, 5000):
        report(session, "training", ["completed"] * len(keys[start : start + 5000]), start=start)
    assert part(session, "training").done == 20_000
    assert unified(session)["phases"]["training"]["progress"]["percentage"] == 99.99
    assert unified(session)["overallProgress"]["percentage"] == 30.0
    assert unified(session)["overallStatus"] == "running"


def test_rates_and_times_left_are_those_of_the_kernel(clock: Clock) -> None:
    session = make_session(images(100, 50))
    report(session, "training", ["processing"])
    clock.forward(60)
    report(session, "training", ["completed"] * 60)
    answer = unified(session)
    progress = answer["phases"]["training"]["progress"]
    assert (progress["imagesPerMinute"], progress["etaSeconds"]) == (60.0, 40)
    assert answer["overallProgress"]["etaSeconds"] == 40
    clock.forward(600)
    assert unified(session)["phases"]["training"]["progress"]["imagesPerMinute"] is None


def test_a_dead_worker_is_noticed_and_a_restart_resumes_with_what_was_counted(clock: Clock, settings: Any) -> None:
    session = make_session(10)
    report(session, "training", ["completed"] * 4 + ["processing"])
    for _ in range(settings.ITEM_MAX_ATTEMPTS):
        watchdog.sweep(clock.forward(91))
        report(session, "training", ["processing"], start=4)
    watchdog.sweep(clock.forward(601))
    assert (job_of(session).stuck, part(session, "training").done) == ("silent", 4)
    progress = unified(session)["phases"]["training"]["progress"]
    assert (progress["current"], progress["total"], progress["failed"]) == (4, 10, 1)
    sessions.restart(session, what="failed", actor=None)
    assert job_of(session).stuck == ""
    assert unified(session)["phases"]["training"]["progress"]["current"] == 4
    finish(session, "training")
    assert unified(session)["phases"]["training"]["progress"]["percentage"] == 100.0


# --- the contract ------------------------------------------------------------------------------------


def described(name: str, prefix: str = "") -> Iterator[str]:
    """The flat keys of a component of the OpenAPI document."""
    schemas = document()["components"]["schemas"]
    for key, schema in schemas[name]["properties"].items():
        if "$ref" in schema:
            yield from described(schema["$ref"].rpartition("/")[2], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_document_promises_exactly_these_keys_and_all_of_them() -> None:
    assert sorted(described("UnifiedBody")) == sorted(KEYS)
    schemas = document()["components"]["schemas"]
    for name in ("UnifiedBody", "UnifiedPhases", "TrainingPart", "FaceDetectionPart", "ClusteringPart", "PartProgress"):
        assert sorted(schemas[name]["required"]) == sorted(schemas[name]["properties"])


@pytest.mark.parametrize("make", MAKERS)
def test_the_endpoint_answers_exactly_these_keys_in_every_state(make: Make, clock: Clock, worker: TrainingApi) -> None:
    session = make()
    answer = worker.get(f"/training/{session.pk}/progress/unified").json()
    assert sorted(flat(answer)) == sorted(KEYS)
    assert worker.get(f"/training/sessions/{session.pk}/progress-unified").json() == answer
    assert value_at(answer, "phases.training.progress.total") == (part(session, "training").expected or 0)
    assert [phase["name"] for phase in answer["phases"].values()] == ["training", "face_detection", "clustering"]


def test_no_other_answer_is_in_camel_case(worker: TrainingApi) -> None:
    session = detecting()
    for path in ("", "/faces"):
        keys = [key.rpartition(".")[2] for key in flat(worker.get(f"/training/{session.pk}{path}").json())]
        assert keys == [key.lower() for key in keys]


def test_an_answer_that_cannot_be_computed_is_a_defect_and_not_a_missing_session(worker: TrainingApi) -> None:
    session = make_session([image("a.jpg")])
    job_of(session).phases.filter(code="clustering").delete()
    worker.client.raise_request_exception = False
    response = worker.client.get(f"/api/v1/training/{session.pk}/progress/unified")
    assert (response.status_code, response.json()["status"]) == (500, 500)


def test_status_and_percentage_are_of_one_moment(worker: TrainingApi) -> None:
    session = ready()
    with before_the_phases_are_read(lambda: clustering(session, "completed")):
        answer = worker.get(f"/training/{session.pk}/progress/unified").json()
    assert (answer["overallStatus"], answer["overallProgress"]["percentage"]) == ("completed", 100.0)


def test_the_body_of_a_session_is_of_one_moment(worker: TrainingApi) -> None:
    session = ready()
    with before_the_phases_are_read(lambda: clustering(session, "completed")):
        answer = worker.get(f"/training/{session.pk}").json()
    assert (answer["job"]["status"], answer["clustering"]["status"]) == ("completed", "completed")
