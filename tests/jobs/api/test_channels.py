"""Channels and notification rules over REST: made, changed, tested, removed, and every wrong field named."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Channel, NotificationRule
from tests.jobs.api import contract
from tests.jobs.api.conftest import Api

pytestmark = pytest.mark.django_db

ADDRESS = "jsons://user:canary@hooks.example.com/canary"


def send(api: Api, method: str, path: str, body: Any) -> Any:
    """Send a request with a body; the answer must keep the contract."""
    response = getattr(api.client, method.lower())(f"/api/v1{path}", body, format="json")
    contract.check(method, f"/api/v1{path}", response)
    return response


def made(lead: Api, **fields: Any) -> dict[str, Any]:
    """Make a channel."""
    response = lead.post("/channels", {"name": "night", "kind": "apprise", "address": ADDRESS, **fields})
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    return body


def test_a_channel_lives(api: Any) -> None:
    lead = api("lead")
    channel = made(lead)
    assert channel["address"] == "jsons://hooks.example.com/…"
    assert channel["needs_address"] is False
    path = f"/channels/{channel['id']}"
    assert lead.get("/channels").json()["results"] == [channel]
    assert lead.get(path).json() == channel
    changed = send(lead, "PATCH", path, {"name": "day", "active": False, "address": "jsons://b.example/x"}).json()
    assert (changed["name"], changed["active"], changed["address"]) == ("day", False, "jsons://b.example/…")
    assert send(lead, "PATCH", path, {}).json() == changed
    assert lead.client.delete(f"/api/v1{path}").json()["changed"] == 1
    assert lead.get(path).status_code == 404


def test_a_rule_lives(api: Any) -> None:
    lead = api("lead")
    channel = made(lead)
    body = {
        "channel": channel["id"],
        "kinds": ["job_stuck"],
        "projects": ["a"],
        "job_kinds": ["vision"],
        "series": "nightly-*",
        "minimum_age": 300,
        "quiet_from": "22:00",
        "quiet_to": "06:30",
        "timezone": "Europe/Berlin",
        "reminder_interval": 3600,
    }
    rule = lead.post("/notification-rules", body).json()
    assert {name: rule[name] for name in body} == body
    assert lead.get(f"/notification-rules?channel={channel['id']}").json()["results"] == [rule]
    assert lead.get("/notification-rules?channel=0").json()["results"] == []
    path = f"/notification-rules/{rule['id']}"
    changed = send(lead, "PATCH", path, {"quiet_from": None, "quiet_to": None, "minimum_age": 0}).json()
    assert (changed["quiet_from"], changed["minimum_age"], changed["series"]) == (None, 0, "nightly-*")
    assert lead.client.delete(f"/api/v1{path}").status_code == 200
    assert not NotificationRule.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kinds", ["job_unknown"]),
        ("kinds", "job_stuck"),
        ("projects", ["x\u202e"]),
        ("projects", ["a"] * 101),
        ("job_kinds", [""]),
        ("series", "x" * 201),
        ("minimum_age", -1),
        ("minimum_age", "5"),
        ("minimum_age", 31_536_001),
        ("quiet_from", "22:00"),
        ("quiet_to", "25:00"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("reminder_interval", 59),
        ("unknown", 1),
    ],
)
def test_a_wrong_field_of_a_rule_is_named(api: Any, field: str, value: Any) -> None:
    lead = api("lead")
    response = lead.post("/notification-rules", {"channel": made(lead)["id"], field: value})
    assert response.status_code == 400, response.content
    named = response.json()["errors"][0]["field"]
    assert named.startswith(field) or (field, named) == ("quiet_from", "quiet_to")
    assert not NotificationRule.objects.exists()


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("name", {"name": " "}),
        ("kind", {"kind": "pigeon"}),
        ("kind", {"kind": "mail", "address": None, "addresses": ["a@example.com"]}),
        ("address", {"address": "syslog://canary"}),
        ("address", {"address": None}),
        ("addresses", {"addresses": ["a@example.com"]}),
    ],
)
def test_a_wrong_field_of_a_channel_is_named(api: Any, field: str, body: dict[str, Any]) -> None:
    response = api("lead").post("/channels", {"name": "a", "kind": "apprise", "address": ADDRESS, **body})
    assert response.status_code == 400, response.content
    assert response.json()["errors"][0]["field"] == field
    assert "canary" not in response.content.decode()
    assert not Channel.objects.exists()


def test_only_leads_manage_channels_and_only_in_their_projects(api: Any) -> None:
    lead = api("lead")
    channel = made(lead, project="a")
    assert api("operator").get("/channels").status_code == 403
    other = api("lead", projects=["b"])
    assert other.get("/channels").json()["results"] == []
    assert other.get(f"/channels/{channel['id']}").status_code == 404
    assert other.post("/channels", {"name": "c", "kind": "apprise", "address": ADDRESS}).status_code == 403
    assert other.post("/notification-rules", {"channel": channel["id"]}).status_code == 404
    taken = lead.post("/channels", {"name": "night", "kind": "apprise", "address": ADDRESS, "project": "a"})
    assert (taken.status_code, taken.json()["code"]) == (409, "channel_exists")
