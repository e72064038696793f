"""The doors of training sessions: what they take, what they answer, and to whom."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from jobs import operations
from jobs.models import Job
from tests.factories import make_job
from tests.jobs.rules.conftest import Clock
from tests.training.conftest import TrainingApi
from tests.training.factories import completed_session, faces, finish, images, job_of, make_session, ready
from training.models import TrainingImage, TrainingSession

pytestmark = pytest.mark.django_db

NOTHING = {
    "run": 1, "faces_detected": 0, "faces_assigned": 0, "current_asset_index": 0, "current_batch": 0,
    "total_batches": None, "min_confidence": None, "batch_size": None,
}  # fmt: skip
READS = ["", "/progress/unified", "/faces"]
WRITES: dict[str, tuple[str, Any]] = {
    "/images": ("post", {"images": []}),
    "/faces": ("patch", {}),
    "/clustering": ("post", {"status": "running"}),
    "/restart": ("post", {"what": "faces"}),
}


def doors(session: TrainingSession) -> list[tuple[str, str, Any]]:
    """(method, address, body) of every door of a session."""
    reads = [("get", f"/training/{session.pk}{path}", None) for path in READS]
    writes = [(method, f"/training/{session.pk}{path}", body) for path, (method, body) in WRITES.items()]
    return [*reads, ("get", f"/training/sessions/{session.pk}/progress-unified", None), *writes]


# --- who ---------------------------------------------------------------------------------------------


def test_nobody_is_answered_without_a_valid_token() -> None:
    client = APIClient()
    for method, path, body in [*doors(ready()), ("get", "/training", None), ("post", "/training", {"name": "t"})]:
        response = getattr(client, method)(f"/api/v1{path}", body, format="json")
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer"), path


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("", False, set()),
        ("viewer", True, set()),
        ("operator", True, set()),
        ("lead", True, {"/restart"}),
        ("worker", True, {"/images", "/faces", "/clustering"}),
    ],
)
def test_each_role_may_what_it_may_and_nothing_else(api: Any, role: str, reads: bool, writes: set[str]) -> None:
    client, session = api(role), ready()
    path = f"/training/{session.pk}"
    assert {client.get(f"{path}{one}").status_code for one in READS} == {200 if reads else 403}
    assert client.get("/training").status_code == (200 if reads else 403)
    may = {one for one, (method, body) in WRITES.items() if client.send(method, path + one, body).status_code != 403}
    assert may == writes
    assert (client.post("/training", {"name": "new"}).status_code == 201) == (role == "worker")


def test_what_is_refused_names_the_permission(api: Any) -> None:
    session = ready()
    for role, path, permission in (("worker", "/restart", "restart_job"), ("lead", "/images", "report_job")):
        method, body = WRITES[path]
        response = api(role).send(method, f"/training/{session.pk}{path}", body)
        assert f"jobs.{permission}" in response.json()["detail"]


@pytest.mark.parametrize("role", ["worker", "lead"])
def test_sessions_of_other_projects_do_not_exist(api: Any, role: str) -> None:
    session, seen = make_session(2, project="red"), make_session(2, project="blue")
    client, revision = api(role, projects=["blue"]), job_of(session).revision
    for method, path, body in doors(session):
        if method == "get" or (role == "worker") == (path.rpartition("/")[2] != "restart"):
            assert client.send(method, path, body).status_code == 404, path
    assert [row["id"] for row in client.get("/training").json()["results"]] == [seen.pk]
    assert job_of(session).revision == revision


@pytest.mark.parametrize("number", [999_999, 2**53 + 1, 2**64])
def test_a_session_that_is_not_there_is_not_found(worker: TrainingApi, number: int) -> None:
    for method, path, body in doors(TrainingSession(pk=number)):
        if not path.endswith("/restart"):
            response = worker.send(method, path, body)
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
            assert str(number) in response.json()["detail"]


def test_a_job_of_another_kind_is_no_session(worker: TrainingApi) -> None:
    for method, path, body in doors(TrainingSession(pk=make_job(items=1).pk)):
        if not path.endswith("/restart"):
            assert worker.send(method, path, body).status_code == 404, path
    assert worker.get("/training").json()["results"] == []


def test_a_name_out_of_sight_is_taken_and_a_foreign_project_refused(api: Any) -> None:
    make_session(1, name="secret", project="red")
    client = api("worker", projects=["blue"])
    taken = client.post("/training", {"name": "secret", "project": "blue"})
    assert (taken.status_code, taken.json()["code"], "red" in taken.content.decode()) == (409, "name_taken", False)
    assert client.post("/training", {"name": "new", "project": "red"}).status_code == 403
    assert client.post("/training", {"name": "new"}).status_code == 403
    assert TrainingSession.objects.count() == 1


# --- creating and looking ----------------------------------------------------------------------------


def test_a_session_is_created_with_its_images(worker: TrainingApi) -> None:
    listed = [
        {"path": "b.jpg", "hash": "f0", "created_at": "2026-03-02T12:00:00Z"},
        {"path": "a.jpg", "hash": "f0", "created_at": "2026-03-02T12:00:00+01:00"},
        {"path": "c.jpg"},
    ]
    response = worker.post("/training", {"name": "t", "images": listed, "project": "p", "metadata": {"a": 1}})
    body = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/v1/training/{body['id']}")
    assert sorted(body) == ["clustering", "faces", "id", "images", "job", "name"]
    assert (body["name"], body["faces"]) == ("t", None)
    assert body["images"] == {"total": 3, "unique": 2, "skipped": 1}
    assert (body["job"]["project"], body["job"]["metadata"], body["job"]["kind"]) == ("p", {"a": 1}, "training")
    assert body["clustering"] == {
        "status": "pending", "current": 0, "total": None, "clusters_created": None, "error": "",
        "started_at": None, "completed_at": None,
    }  # fmt: skip
    duplicate = TrainingImage.objects.duplicates().get()
    assert (duplicate.item.key, duplicate.created_at.isoformat()) == ("b.jpg", "2026-03-02T12:00:00+00:00")
    assert worker.get(f"/training/{body['id']}").json() == body


def test_the_same_name_again_answers_the_same_session_with_its_new_images(worker: TrainingApi) -> None:
    given = {"name": "t", "images": [{"path": "a.jpg"}]}
    first = worker.post("/training", given).json()
    again = worker.post("/training", given)
    assert (again.status_code, again.json()) == (200, first)
    more = worker.post("/training", {"name": "t", "images": [{"path": "b.jpg"}]}).json()
    assert more["images"]["total"] == 2


def test_images_come_in_calls_of_their_own(worker: TrainingApi) -> None:
    session = worker.post("/training", {"name": "t"}).json()["id"]
    path = f"/training/{session}/images"
    listed = [{"path": "a.jpg", "hash": "f0"}, {"path": "b.jpg", "hash": "f0"}]
    assert worker.post(path, {"images": listed}).json() == {"added": 2, "existing": 0, "skipped": 1}
    assert worker.post(path, {"images": listed, "complete": True}).json() == {"added": 0, "existing": 2, "skipped": 0}
    assert worker.get(f"/training/{session}/progress/unified").json()["overallStatus"] == "pending"
    assert worker.post(path, {"images": [], "complete": True}).status_code == 200


def test_images_for_what_is_over_are_refused_with_both_states(worker: TrainingApi) -> None:
    session = ready()
    response = worker.post(f"/training/{session.pk}/images", {"images": [{"path": "new.jpg"}]})
    assert (response.status_code, response.json()["code"]) == (409, "wrong_state")
    assert "is completed; new images are possible while it is pending" in response.json()["detail"]


def test_the_list_has_the_newest_first_in_pages_and_by_status_and_project(worker: TrainingApi, clock: Clock) -> None:
    made = []
    for number in range(5):
        clock.forward(1)
        made.append(make_session(1, project="even" if number % 2 == 0 else "odd").pk)
    operations.pause(job_of(TrainingSession(pk=made[0])), actor=None)

    def ids(query: str) -> list[int]:
        return [row["id"] for row in worker.get(f"/training?{query}").json()["results"]]

    assert ids("") == made[::-1]
    assert ids("project=odd") == [made[3], made[1]]
    assert ids("status=paused") == [made[0]]
    page = worker.get("/training?limit=3").json()
    following = worker.get(page["next"].partition("/api/v1")[2]).json()
    assert [row["id"] for row in page["results"] + following["results"]] == made[::-1]
    assert following["next"] is None


@pytest.mark.parametrize("wrong", ["limit=0", "limit=x", "status=done", "colour=red", "cursor=nonsense"])
def test_a_wrong_query_is_refused_by_its_name(worker: TrainingApi, wrong: str) -> None:
    response = worker.get(f"/training?{wrong}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, wrong.partition("=")[0])


@pytest.mark.parametrize("path", [*READS])
def test_an_unknown_parameter_is_refused(worker: TrainingApi, path: str) -> None:
    assert worker.get(f"/training/{make_session(1).pk}{path}?x=1").status_code == 400


# --- faces, clustering, restart ----------------------------------------------------------------------


def test_faces_are_zeros_and_nulls_until_they_are_told(worker: TrainingApi) -> None:
    session = make_session(2)
    path = f"/training/{session.pk}/faces"
    assert worker.get(path).json() == NOTHING
    assert worker.patch(path, {"faces_detected": 1}).status_code == 409
    finish(session, "training")
    update = {"faces_detected": 3, "current_batch": 1, "total_batches": 2, "min_confidence": 1, "batch_size": 16}
    answer = {**NOTHING, **update, "min_confidence": 1.0}
    assert worker.patch(path, update).json() == answer
    assert worker.get(path).json() == answer
    assert worker.get(f"/training/{session.pk}").json()["faces"] == answer
    assert worker.patch(path, {"faces_detected": 2, "total_batches": None}).json() == {**answer, "total_batches": None}


def test_clustering_answers_how_far_it_is(worker: TrainingApi) -> None:
    session = ready()
    path = f"/training/{session.pk}/clustering"
    running = worker.post(path, {"status": "running", "current": 1, "total": 4}).json()
    assert (running["status"], running["current"], running["total"], running["clusters_created"]) == (
        "running", 1, 4, None,
    )  # fmt: skip
    operations.pause(job_of(session), actor=None)
    assert worker.post(path, {"status": "running"}).json()["status"] == "paused"
    operations.resume(job_of(session), actor=None)
    assert worker.post(path, {"status": "failed", "error": "no memory"}).json()["error"] == "no memory"
    refused = worker.post(path, {"status": "completed"})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")


def test_a_restart_answers_as_every_act(api: Any) -> None:
    session = completed_session(2)
    answer = api("lead").post(f"/training/{session.pk}/restart", {"what": "faces", "reason": "better model"}).json()
    assert (answer["changed"], answer["refused"]) == (3, [])
    assert (answer["job"]["id"], answer["job"]["status"]) == (session.pk, "processing")
    again = api("lead").post(f"/training/{session.pk}/restart", {"what": "faces"}).json()
    assert (again["changed"], again["detail"]) == (0, "Phase face_detection has nothing to restart.")


def test_five_thousand_images_fit_into_one_call(worker: TrainingApi) -> None:
    listed = [{"path": f"{n:05}.jpg", "hash": f"{n // 2:016x}"} for n in range(5000)]
    body = worker.post("/training", {"name": "t", "images": listed}).json()
    assert body["images"] == {"total": 5000, "unique": 2500, "skipped": 2500}


def test_the_faces_of_a_body_are_those_of_its_own_session(worker: TrainingApi) -> None:
    first, second = make_session(images(2)), make_session(images(2))
    for session, number in ((first, 3), (second, 4)):
        finish(session, "training")
        faces(session, faces_detected=number)
    shown = {row["id"]: row["faces"]["faces_detected"] for row in worker.get("/training").json()["results"]}
    assert shown == {first.pk: 3, second.pk: 4}


def test_a_session_has_the_options_of_every_job(worker: TrainingApi) -> None:
    made = worker.post("/training", {"name": "urgent", "priority": 7, "expected_seconds": 60, "retries": 1})
    job = Job.objects.get(pk=made.json()["id"])
    assert (job.priority, job.expected_seconds) == (7, 60)
    assert job.phases.get(code="face_detection").retries == 1
