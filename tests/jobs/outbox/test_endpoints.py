"""Endpoints and replay, as verbs and over REST."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from standardwebhooks import Webhook

from jobs import operations, outbox
from jobs.db import deletion
from jobs.models import Delivery, Endpoint, Event, Job
from jobs.outbox import results
from jobs.rules.errors import BadInput, NotFound, NotPermitted, WrongState
from tests.factories import make_job, operator, types
from tests.jobs.api.conftest import Api
from tests.jobs.outbox.conftest import Receiver, make_endpoint, reply

pytestmark = pytest.mark.django_db
URL = "https://example.com/hook"


@pytest.fixture
def api() -> type[Api]:
    return Api


@pytest.fixture
def lead() -> Api:
    return Api("lead")


def finished(**fields: Any) -> Job:
    return make_job(items=1, done=1, **fields)


def event_of(job: Job, type: str = "job.completed") -> Event:
    return Event.objects.get(job=job, type=type)


def test_a_new_endpoint_shows_its_secret_once(lead: Api) -> None:
    response = lead.post("/endpoints", {"url": URL, "types": ["job.*"], "project": "p", "name": "Matcher"})
    body = response.json()
    assert response.status_code == 201
    assert Webhook(body.pop("secret"))
    assert body == {
        "id": Endpoint.objects.get().pk,
        "name": "Matcher",
        "kind": "webhook",
        "format": "json",
        "url": URL,
        "types": ["job.*"],
        "project": "p",
        "active": True,
        "disabled_reason": "",
        "created_at": body["created_at"],
    }
    assert lead.get("/endpoints").json() == {"results": [body], "next": None}


def test_an_endpoint_is_told_of_completions_unless_it_names_types(lead: Api) -> None:
    assert lead.post("/endpoints", {"url": URL}).json()["types"] == ["*.completed"]


def test_a_secret_of_ones_own_is_taken(lead: Api) -> None:
    secret = operations.endpoints.new_secret()
    assert lead.post("/endpoints", {"url": URL, "secret": secret}).json()["secret"] == secret


def test_the_same_address_for_the_same_project_is_a_conflict(lead: Api) -> None:
    assert lead.post("/endpoints", {"url": URL}).status_code == 201
    refused = lead.post("/endpoints", {"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_exists")
    assert lead.post("/endpoints", {"url": URL, "project": "p"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "amqp"}, "url"),
        ({"url": URL, "types": []}, "types"),
        ({"url": URL, "types": [" "]}, "types"),
        ({"url": URL, "types": [1]}, "types[0]"),
        ({"url": URL, "types": ["x" * 121]}, "types"),
        ({"url": URL, "secret": "short"}, "secret"),
        ({"url": URL, "secret": "whsec_!!!"}, "secret"),
        ({"url": URL, "project": "x" * 129}, "project"),
        ({"url": URL, "kind": "broker"}, "kind"),
    ],
)
def test_a_wrong_endpoint_names_its_field_and_is_not_stored(
    lead: Api, settings: Any, body: dict[str, Any], field: str
) -> None:
    settings.AMQP_URL = ""
    refused = lead.post("/endpoints", body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)
    assert not Endpoint.objects.exists()


def test_the_broker_is_an_endpoint_where_there_is_one(lead: Api, settings: Any) -> None:
    settings.AMQP_URL = "amqp://guest:secret@broker/"
    body = lead.post("/endpoints", {"url": "amqp", "types": ["*"]}).json()
    assert (body["kind"], body["url"], body["secret"]) == ("broker", "amqp", "")


def test_an_endpoint_is_removed_with_its_deliveries(lead: Api) -> None:
    endpoint = make_endpoint()
    finished()
    body = lead.client.delete(f"/api/v1/endpoints/{endpoint.pk}").json()
    assert (body["changed"], body["refused"]) == (1, [])
    assert (Endpoint.objects.count(), Delivery.objects.count()) == (0, 0)
    assert Event.objects.outward().count() == 2
    assert lead.client.delete(f"/api/v1/endpoints/{endpoint.pk}").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "operator", "worker", ""])
def test_only_a_lead_manages_endpoints_and_replays(api: Any, role: str) -> None:
    client, endpoint, job = api(role), make_endpoint(), finished()
    assert client.get("/endpoints").status_code == 403
    assert client.post("/endpoints", {"url": URL}).status_code == 403
    assert client.client.delete(f"/api/v1/endpoints/{endpoint.pk}").status_code == 403
    assert client.post(f"/events/{event_of(job).pk}/replay").status_code == 403
    assert Endpoint.objects.count() == 1


def test_nobody_comes_in_without_a_token(client: Any) -> None:
    for method, path in [
        ("get", "endpoints"),
        ("post", "endpoints"),
        ("delete", "endpoints/1"),
        ("post", "events/1/replay"),
    ]:
        assert getattr(client, method)(f"/api/v1/{path}").status_code == 401


def test_an_account_limited_to_projects_manages_those_only(api: Any) -> None:
    limited, foreign, common = api("lead", projects=["a"]), make_endpoint(project="b"), make_endpoint()
    assert limited.post("/endpoints", {"url": URL, "project": "a"}).status_code == 201
    for project in ("b", ""):
        assert limited.post("/endpoints", {"url": f"{URL}/2", "project": project}).status_code == 403
    assert [row["project"] for row in limited.get("/endpoints").json()["results"]] == ["a"]
    for endpoint in (foreign, common):
        assert limited.client.delete(f"/api/v1/endpoints/{endpoint.pk}").status_code == 404
        with pytest.raises(NotPermitted):
            operations.try_endpoint(endpoint, actor=limited.account)
    assert limited.post(f"/events/{event_of(finished(project='b')).pk}/replay").status_code == 404


@pytest.mark.usefixtures("local")
def test_a_replay_delivers_the_same_event_again(lead: Api, receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    job = finished()
    outbox.deliver()
    body = lead.post(f"/events/{event_of(job).pk}/replay", {"reason": "The matcher lost it."}).json()
    assert (body["changed"], body["refused"], body["job"]["id"]) == (1, [], job.pk)
    assert outbox.deliver()["sent"] == 1
    assert receiver.ids[-1] == str(event_of(job).event_id)
    assert receiver.ids.count(receiver.ids[-1]) == 2
    assert types(job)[-1] == "operator.replay"
    assert job.events.get(type="operator.replay").reason == "The matcher lost it."
    assert LogEntry.objects.filter(change_message__contains="The matcher lost it.").count() == 1


@pytest.mark.usefixtures("local")
def test_a_dead_delivery_begins_anew_and_what_it_held_back_follows(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    job = finished()
    receiver.answer = lambda handler, request: reply(handler, 500)
    outbox.deliver()
    outbox.deliver()
    receiver.answer = lambda handler, request: reply(handler, 204)
    act = operations.replay(event_of(job, "items.completed"), actor=None)
    assert act.changed == 1
    assert outbox.deliver()["sent"] == 2
    assert Delivery.objects.filter(status="sent", error="").count() == 2


def test_a_replay_of_one_delivery_leaves_the_others_alone() -> None:
    first, second = make_endpoint(types=["job.*"]), make_endpoint(f"{URL}/2", types=["job.*"])
    job = finished()
    Delivery.objects.update(status="dead", tries=8)
    assert operations.replay(event_of(job), endpoint=second, actor=None).changed == 1
    assert [first.deliveries.get().status, second.deliveries.get().status] == ["dead", "waiting"]


def test_a_disabled_endpoint_is_refused_in_a_replay(lead: Api) -> None:
    make_endpoint(types=["job.*"])
    job = finished()
    Endpoint.objects.update(active=False)
    body = lead.post(f"/events/{event_of(job).pk}/replay").json()
    assert body["changed"] == 0
    assert [row["id"] for row in body["refused"]] == [Delivery.objects.get().pk]


def test_an_event_without_deliveries_changes_0_and_says_why(lead: Api) -> None:
    body = lead.post(f"/events/{event_of(finished()).pk}/replay").json()
    assert body["changed"] == 0
    assert "no delivery" in body["detail"]


def test_what_is_not_outward_is_not_replayed(lead: Api) -> None:
    event = event_of(finished(), "items.started")
    with pytest.raises(WrongState):
        operations.replay(event, actor=None)
    assert lead.post(f"/events/{event.pk}/replay").status_code == 409
    assert lead.post("/events/999999/replay").status_code == 404


def test_a_replay_needs_its_own_permission() -> None:
    make_endpoint()
    event = event_of(finished())
    with pytest.raises(NotPermitted):
        operations.replay(event, actor=operator("retry"))


def test_enabled_again_after_being_disabled(lead: Api) -> None:
    endpoint = make_endpoint(types=["job.*"])
    finished()
    operations.disable_endpoint(endpoint, actor=lead.account, reason="Moving house.")
    outbox.deliver()
    assert Delivery.objects.get().error == "The endpoint is disabled. Moving house."
    operations.enable_endpoint(endpoint, actor=lead.account)
    finished()
    assert list(endpoint.deliveries.order_by("id").values_list("status", flat=True)) == ["dead", "waiting"]


def test_a_removed_endpoint_is_not_found() -> None:
    endpoint = make_endpoint()
    Endpoint.objects.all().delete()
    with pytest.raises(NotFound):
        operations.rotate_secret(endpoint, actor=None)


def test_the_broker_has_no_secret_to_rotate() -> None:
    with pytest.raises(BadInput):
        operations.rotate_secret(make_endpoint("amqp", kind="broker"), actor=None)


def test_an_endpoint_goes_with_its_deliveries_in_portions_and_no_event_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While its deliveries go it is disabled: events that are written meanwhile are not for it."""
    monkeypatch.setattr(deletion, "PORTION", 2)
    endpoint = make_endpoint()
    for _ in range(4):
        make_job(items=1, done=1)
    original, during = deletion._delete_portion, []

    def portion(model: Any, ids: Any) -> int:
        if model is Delivery:
            during.append(len(ids))
            make_job(items=1, done=1)
        return original(model, ids)

    monkeypatch.setattr(deletion, "_delete_portion", portion)
    assert operations.remove_endpoint(endpoint, actor=None) == 8
    assert during == [2, 2, 2, 2]
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()


def test_what_waits_at_a_disabled_endpoint_is_buried_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PORTION", 3)
    endpoint = make_endpoint()
    for _ in range(4):
        make_job(items=1, done=1)
    operations.disable_endpoint(endpoint, actor=None)
    assert results.mark_disabled_dead() == 8
    assert Delivery.objects.dead().count() == 8
