"""REST calls and commands of incidents."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from knox.models import AuthToken

from jobs.models import Incident, Membership
from jobs.operations import INCIDENT_ACTS
from tests.jobs.incidents.conftest import make_failed, make_stuck, the_incident
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
INCIDENTS = "/api/v1/incidents"


def client(role: str = "operator", *projects: str) -> Client:
    """Return a client with a token of this role, limited to these projects."""
    user = User.objects.create(username=f"{role}-{User.objects.count()}")
    user.groups.set(Group.objects.filter(name=role))
    Membership.objects.bulk_create([Membership(user=user, project=project) for project in projects])
    _, token = AuthToken.objects.create(user)
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(by: Client, path: str, body: Any) -> Any:
    """Send a body as JSON."""
    return by.post(f"{INCIDENTS}/{path}", json.dumps(body), content_type="application/json")


def test_the_list_has_filters_and_pages() -> None:
    for project in ("a", "b"):
        make_failed(project=project)
    by = client()
    first = by.get(f"{INCIDENTS}?limit=1").json()
    second = by.get(first["next"]).json()
    assert [row["project"] for page in (first, second) for row in page["results"]] == ["b", "a"]
    assert second["next"] is None
    found = by.get(f"{INCIDENTS}?state=open&kind=job_failed&project=a").json()["results"]
    assert [row["project"] for row in found] == ["a"]
    assert by.get(f"{INCIDENTS}?state=resolved").json()["results"] == []
    post(by, f"{the_incident(project='a').pk}/resolve", {"reason": "Old."})
    for over, projects in (("true", ["a"]), ("false", ["b"])):
        found = by.get(f"{INCIDENTS}?over={over}").json()["results"]
        assert [row["project"] for row in found] == projects
    assert by.get(f"{INCIDENTS}?kind=nonsense").status_code == 400


def test_one_incident_has_its_jobs_and_its_history() -> None:
    job = make_failed("disk full", project="a")
    body = client().get(f"{INCIDENTS}/{the_incident().pk}").json()
    assert (body["kind"], body["state"], body["subjects"], body["revision"]) == ("job_failed", "open", 1, 1)
    assert [row["id"] for row in body["jobs"]] == [job.pk]
    assert [(row["act"], row["actor"]) for row in body["history"]] == [("opened", "system")]


def test_the_acts_answer_with_the_incident() -> None:
    make_failed()
    by, pk = client(), the_incident().pk
    name = User.objects.get().username
    answers = [
        post(by, f"{pk}/acknowledge", {"note": "On it."}),
        post(by, f"{pk}/assign", {"account": name}),
        post(by, f"{pk}/snooze", {"until_grows": True}),
        post(by, f"{pk}/resolve", {"reason": "Old."}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["changed"] for answer in answers] == [1] * 4
    states = [answer.json()["incident"]["state"] for answer in answers]
    assert states == ["acknowledged", "acknowledged", "snoozed", "resolved"]
    assert answers[0].json()["incident"]["acknowledged_by"] == name
    assert post(by, f"{pk}/acknowledge", {}).status_code == 409


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("snooze", {}),
        ("snooze", {"until": "soon"}),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}),
        ("resolve", {}),
        ("resolve", {"reason": " "}),
        ("assign", {}),
        ("assign", {"account": "unknown"}),
        ("acknowledge", {"note": 1}),
        ("acknowledge", {"other": ""}),
    ],
)
def test_a_body_that_does_not_fit_is_refused(act: str, body: Any) -> None:
    make_failed()
    answer = post(client(), f"{the_incident().pk}/{act}", body)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert the_incident().state == "open"


def test_a_cause_that_holds_is_a_conflict(clock: Clock) -> None:
    make_stuck(clock)
    answer = post(client(), f"{the_incident().pk}/resolve", {"reason": "Old."})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_another_project_is_missing_and_so_is_the_site() -> None:
    make_failed(project="b")
    make_failed(project="")
    by = client("operator", "a")
    assert by.get(INCIDENTS).json()["results"] == []
    for incident in Incident.objects.all():
        assert by.get(f"{INCIDENTS}/{incident.pk}").status_code == 404
        assert post(by, f"{incident.pk}/acknowledge", {}).status_code == 404


# --- the command ---------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    """Return the output of the command."""
    out = StringIO()
    call_command("incidents", *arguments, stdout=out, stderr=out, no_color=True)
    return out.getvalue()


def test_the_command_lists_shows_and_acts() -> None:
    make_failed("disk full", name="billing-7")
    pk = str(the_incident().pk)
    assert "Generic jobs failed: disk full" in run("list")
    assert "billing-7 failed" in run("show", pk)
    assert run("acknowledge", pk, "--note", "On it.").strip() == "On it."
    assert json.loads(run("list", "--json"))[0]["state"] == "acknowledged"
    assert json.loads(run("show", pk, "--json"))["jobs"][0]["name"] == "billing-7"
    assert run("snooze", pk, "--until-grows").strip() == "Snoozed until it has more than 1 job."
    run("resolve", pk, "--reason", "Old.")
    assert "No incidents match" in run("list")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "999"], 3),
        (["list", "--kind", "unknown"], 2),
        (["snooze", "{pk}"], 2),
        (["snooze", "{pk}", "--until", "tomorrow"], 2),
    ],
)
def test_the_command_exits_with_the_code_of_the_refusal(arguments: list[str], code: int) -> None:
    make_failed()
    with pytest.raises(CommandError) as refused:
        run(*[each.format(pk=the_incident().pk) for each in arguments])
    assert refused.value.returncode == code


def test_the_list_of_acts_has_those_on_incidents() -> None:
    rows = client().get("/api/v1/acts").json()["incident_acts"]
    assert [row["name"] for row in rows] == list(INCIDENT_ACTS)
    assert {str(row["states"]) for row in rows} == {"['open', 'acknowledged', 'snoozed']"}
    assert [row["name"] for row in rows if row["reason_required"]] == ["resolve"]
    assert rows[1]["arguments"]["required"] == ["account"]
    assert rows[0]["permission"] == "jobs.acknowledge_incident"
