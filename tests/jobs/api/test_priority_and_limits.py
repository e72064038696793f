"""Priority, limits and deletion over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from jobs.models import Job, ProjectLimit
from tests.factories import finished_job, make_job
from tests.jobs.api import contract
from tests.jobs.api.conftest import Api

pytestmark = pytest.mark.django_db

BAD_JOBS: list[tuple[dict[str, Any], str]] = [
    *[({"priority": value}, "priority") for value in (-101, 101, "1", 1.5, None, 2**70)],
    *[
        ({"phases": [{"code": "a", "max_leased": value}]}, "phases[0].max_leased")
        for value in (0, -1, 1_000_001, "1", 1.5)
    ],
]
BAD_LIMITS: list[tuple[dict[str, Any], str]] = [
    *[({"project": "a", "max_leased": value}, "max_leased") for value in (0, -1, 1_000_001, "1", 1.5)],
    ({"project": "a"}, "max_leased"),
    ({"project": 7, "max_leased": 1}, "project"),
    ({"project": "a" * 129, "max_leased": 1}, "project"),
    ({"project": "a", "max_leased": 1, "extra": 1}, "extra"),
]


def send(api: Api, method: str, path: str, body: Any) -> HttpResponse:
    """Send a request with a body; the answer must keep the contract."""
    response = getattr(api.client, method.lower())(f"/api/v1{path}", body, format="json")
    contract.check(method, f"/api/v1{path}", response)
    return response


def fields_of(response: HttpResponse) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


def test_a_job_is_created_with_its_priority_and_the_limits_of_its_phases(worker: Api) -> None:
    phases = [{"code": "a", "max_leased": 3}, {"code": "b"}]
    body = worker.post("/jobs", {"name": "new", "priority": -5, "phases": phases}).json()
    assert (body["priority"], [phase["max_leased"] for phase in body["phases"]]) == (-5, [3, None])


@pytest.mark.parametrize(("body", "field"), BAD_JOBS)
def test_a_bad_priority_or_limit_is_400_with_its_field_and_nothing_is_stored(
    worker: Api, body: dict[str, Any], field: str
) -> None:
    response = worker.post("/jobs", {"name": "bad", **body})
    assert (response.status_code, fields_of(response)) == (400, [field])
    assert not Job.objects.exists()


def test_jobs_are_listed_by_priority(worker: Api) -> None:
    for name, priority in (("a", 0), ("b", 9), ("c", -9)):
        make_job(name=name, priority=priority)
    first = worker.get("/jobs?ordering=-priority&limit=2").json()
    assert [job["name"] for job in first["results"]] == ["b", "a"]
    rest = worker.get(first["next"].partition("/api/v1")[2]).json()
    assert [job["name"] for job in rest["results"]] == ["c"]


def test_a_claim_that_a_limit_holds_back_says_which_one(worker: Api, lead: Api) -> None:
    job = make_job(items=3, project="a")
    assert lead.post(f"/jobs/{job.pk}/limit", {"phase": "items", "max_leased": 1}).json()["changed"] == 1
    paths = (f"/jobs/{job.pk}/phases/items/claim", "/claim")
    worker.post(paths[0], {"worker": "w1"})
    for path in paths:
        response = worker.post(path, {"worker": "w1"} if path != "/claim" else {"worker": "w1", "phase": "items"})
        assert response["Retry-After"] == "2"
        assert response.json() == {
            "items": [],
            "reason": "limit",
            "detail": f"Phase items of job {job.name} has 1 of at most 1 item leased.",
            "limit_of": "phase",
        }
    lead.post(f"/jobs/{job.pk}/limit", {"phase": "items", "max_leased": None})
    send(lead, "PUT", "/project-limits", {"project": "a", "max_leased": 1})
    for path in paths:
        body = worker.post(path, {"worker": "w1"} if path != "/claim" else {"worker": "w1", "phase": "items"}).json()
        assert (body["reason"], body["limit_of"]) == ("limit", "project")


def test_an_operator_changes_the_priority(api: Callable[..., Api]) -> None:
    job = make_job(items=1)
    assert api("operator").post(f"/jobs/{job.pk}/priority", {"priority": 7}).json()["job"]["priority"] == 7
    assert api("worker").post(f"/jobs/{job.pk}/priority", {"priority": 7}).status_code == 403
    assert fields_of(api("operator").post(f"/jobs/{job.pk}/priority", {"priority": 101})) == ["priority"]
    assert fields_of(api("operator").post(f"/jobs/{job.pk}/limit", {"phase": "items"})) == ["max_leased"]


def test_a_lead_limits_projects_and_sees_what_is_leased(api: Callable[..., Api], lead: Api) -> None:
    assert send(lead, "PUT", "/project-limits", {"project": "a/b", "max_leased": 4}).json() == {"changed": 1}
    assert send(lead, "PUT", "/project-limits", {"project": "a/b", "max_leased": 4}).json() == {"changed": 0}
    job = make_job(items=3, project="a/b")
    api("worker").post(f"/jobs/{job.pk}/phases/items/claim", {"worker": "w1"})
    assert lead.get("/project-limits").json()["results"] == [{"project": "a/b", "max_leased": 4, "leased": 3}]
    assert api("viewer", projects=["c"]).get("/project-limits").json()["results"] == []
    assert send(api("operator"), "PUT", "/project-limits", {"project": "a", "max_leased": 1}).status_code == 403
    other = api("lead", projects=["c"])
    assert send(other, "PUT", "/project-limits", {"project": "a/b", "max_leased": None}).status_code == 403
    assert send(lead, "PUT", "/project-limits", {"project": "a/b", "max_leased": None}).json() == {"changed": 1}
    assert not ProjectLimit.objects.exists()


@pytest.mark.parametrize(("body", "field"), BAD_LIMITS)
def test_a_bad_limit_of_a_project_is_400_with_its_field(lead: Api, body: dict[str, Any], field: str) -> None:
    response = send(lead, "PUT", "/project-limits", body)
    assert (response.status_code, fields_of(response)) == (400, [field])
    assert not ProjectLimit.objects.exists()


def test_a_lead_deletes_a_job(api: Callable[..., Api], lead: Api) -> None:
    job = finished_job("completed")
    path, body = f"/jobs/{job.pk}", {"reason": "over"}
    assert send(api("operator"), "DELETE", path, body).status_code == 403
    assert send(api("lead", projects=["x"]), "DELETE", path, body).status_code == 404
    assert fields_of(send(lead, "DELETE", path, {})) == ["reason"]
    assert fields_of(send(lead, "DELETE", path, {**body, "undelivered": 1})) == ["undelivered"]
    answer = send(lead, "DELETE", path, body)
    assert answer.json() == {"changed": 1, "refused": [], "detail": f"Job {job.name} is deleted."}
    assert send(lead, "DELETE", path, body).status_code == 404
    assert send(lead, "DELETE", f"/jobs/{make_job(items=1).pk}", body).status_code == 409
