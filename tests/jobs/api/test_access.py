"""Permissions and visibility of jobs for each role."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from jobs.access import Role, access_of, require
from jobs.models import Job
from jobs.rules.errors import NotPermitted
from tests.factories import make_job, phase_of
from tests.jobs.api.conftest import Api

READS = ["", "/timeline", "/progress", "/errors", "/diagnosis", "/phases/items/items"]
WORK = {
    "/heartbeat": {"worker": "w"},
    "/phases/items/announce": {"expected": 5},
    "/phases/items/items": {"items": [{"key": "new"}]},
    "/phases/items/claim": {"worker": "w"},
    "/phases/items/report": {"results": []},
    "/phases/items/count": {"event_id": "6f1c1a3e-8f0b-4b7e-9a57-0d2f4f6f2c11"},
    "/phases/items/start": {},
    "/phases/items/finish": {},
    "/phases/items/fail": {},
}
OPERATOR = {"/retry": {}, "/release": {}, "/skip": {"items": []}, "/pause": {}, "/resume": {}}
LEAD = {
    "/force-complete": {"reason": "x"},
    "/fail": {},
    "/cancel": {},
    "/threshold": {"phase": "items", "threshold": 50},
    "/restart": {"phase": "items"},
}
WRITES = WORK | OPERATOR | LEAD


def paths(job: Job) -> list[tuple[str, str, Any]]:
    """Return (method, address, body) of every call of a job."""
    reads = [("get", f"/jobs/{job.pk}{path}", None) for path in READS]
    return reads + [("post", f"/jobs/{job.pk}{path}", body) for path, body in WRITES.items()]


def call(api: Api, method: str, path: str, body: Any) -> Any:
    return api.get(path) if method == "get" else api.post(path, body)


def test_a_valid_token_is_required(db: None) -> None:
    doors = [*paths(make_job(items=1)), ("get", "/jobs", None), ("post", "/jobs", {}), ("post", "/claim", {})]
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Token x"}):
        client = APIClient(headers=header)
        for method, path, body in [*doors, ("get", "/events", None)]:
            response = getattr(client, method)(f"/api/v1{path}", body, format="json")
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer"), path
            assert response.headers["Content-Type"] == "application/problem+json"


def test_an_account_without_a_role_may_nothing(api: Any) -> None:
    stranger, job = api(""), make_job(items=1)
    for method, path, body in [*paths(job), ("get", "/jobs", None), ("get", "/events", None)]:
        response = call(stranger, method, path, body)
        assert response.status_code == 403, path
        assert "jobs." in response.json()["detail"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", set()),
        ("operator", OPERATOR.keys()),
        ("lead", OPERATOR.keys() | LEAD.keys()),
        ("worker", WORK.keys()),
    ],
)
def test_each_role_may_what_it_may_and_nothing_else(api: Any, role: str, allowed: set[str]) -> None:
    client, job = api(role), make_job(items=1)
    assert {client.get(f"/jobs/{job.pk}{path}").status_code for path in READS} == {200}
    refused = {path for path, body in WRITES.items() if client.post(f"/jobs/{job.pk}{path}", body).status_code == 403}
    assert refused == WRITES.keys() - allowed
    assert (client.post("/jobs", {"name": "new"}).status_code == 201) == (role == "worker")


def test_a_missing_permission_is_named(worker: Api) -> None:
    response = worker.post(f"/jobs/{make_job().pk}/retry")
    assert "jobs.retry_job" in response.json()["detail"]


def test_jobs_of_other_projects_do_not_exist(api: Any) -> None:
    client, job = api("lead", projects=["blue", "green"]), make_job(items=1, project="red")
    client.account.groups.add(Group.objects.get(name="worker"))
    seen = make_job(items=1, project="green")
    assert {call(client, *door).status_code for door in paths(job)} == {404}
    assert [row["id"] for row in client.get("/jobs").json()["results"]] == [seen.pk]
    assert phase_of(job).job.revision == job.revision


def test_a_name_of_an_invisible_job_is_taken_and_nothing_of_it_is_shown(api: Any) -> None:
    make_job(name="secret", project="red")
    response = api("worker", projects=["blue"]).post("/jobs", {"name": "secret", "project": "blue"})
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    assert "red" not in response.content.decode()


def test_a_limited_account_creates_nothing_in_a_foreign_project(api: Any) -> None:
    client = api("worker", projects=["blue"])
    for project in ("red", ""):
        assert client.post("/jobs", {"name": "new", "project": project}).status_code == 403
    assert not Job.objects.exists()
    assert client.post("/jobs", {"name": "new", "project": "blue"}).status_code == 201


def test_an_operator_may_use_the_session_but_changes_need_the_csrf_token(db: None) -> None:
    operator = User.objects.create(username="olga", is_staff=True)
    operator.groups.add(Group.objects.get(name="operator"))
    client, job = APIClient(enforce_csrf_checks=True), make_job(items=1)
    client.force_login(operator)
    assert client.get("/api/v1/jobs").status_code == 200
    assert client.post(f"/api/v1/jobs/{job.pk}/pause", {}, format="json").status_code == 403
    token = "a" * 32
    client.cookies["csrftoken"] = token
    answer = client.post(f"/api/v1/jobs/{job.pk}/pause", {}, format="json", headers={"X-CSRFToken": token})
    assert answer.json()["changed"] == 1


def test_roles_add_up(db: None) -> None:
    may = {role: set(Group.objects.get(name=role).permissions.values_list("codename", flat=True)) for role in Role}
    assert may["viewer"] < may["operator"] < may["lead"]
    assert may["worker"] == {"view_job", "view_phase", "view_item", "add_job", "report_job"}
    assert "manage_tokens" in may["lead"] - may["operator"]


def test_access_is_looked_up_in_one_query(api: Any, django_assert_num_queries: Any) -> None:
    account = api("worker", projects=["red", "blue"]).account
    with django_assert_num_queries(1):
        access = access_of(account)
    assert (access.may("report_job"), access.may("cancel_job"), access.projects) == (True, False, {"red", "blue"})


def test_a_superuser_may_and_sees_everything_and_a_switched_off_one_nothing(db: None) -> None:
    boss = User.objects.create(username="boss", is_superuser=True)
    make_job(project="red")
    require(boss, "cancel_job")
    assert access_of(boss).jobs().count() == 1
    boss.is_active = False
    with pytest.raises(NotPermitted, match=r"jobs\.view_job"):
        require(boss, "view_job")
    assert not access_of(boss).jobs().exists()


def test_the_permission_of_an_account_itself_counts_like_one_of_its_groups(api: Any) -> None:
    client = api("")
    permission = Group.objects.get(name="viewer").permissions.get(codename="view_job")
    client.account.user_permissions.add(permission)
    assert client.get("/jobs").status_code == 200
