"""Every endpoint and method of the API: the method first, then the permission, and only then existence and state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLPattern
from django.utils import timezone

import jobs.urls
import ocr_chunks.urls
import training.urls
from jobs import operations
from jobs.api.base import APIBaseView
from jobs.incidents import RECOVERED, Cause, Finding, end, open_incidents
from jobs.models import Channel, Event, Incident, Membership
from jobs.operations.endpoints import add_endpoint, disable_endpoint
from jobs.rules.incidents import IncidentKind
from tests.factories import item_of, make_job
from tests.jobs.api.conftest import Api
from tests.ocr_chunks.factories import make_document
from tests.training.factories import make_session

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MISSING = 987_654
PUBLIC = {"schema", "docs", "asyncapi"}
NUMBERED = (
    "job_id",
    "event_id",
    "endpoint_id",
    "document_id",
    "session_id",
    "item_id",
    "channel_id",
    "rule_id",
    "incident_id",
)


def endpoints() -> Iterator[tuple[str, Any]]:
    """Yield the route and the view class of each endpoint that needs an account."""
    for module in (jobs.urls, ocr_chunks.urls, training.urls):
        for pattern in module.urlpatterns:
            assert isinstance(pattern, URLPattern)
            if str(pattern.pattern) not in PUBLIC:
                yield str(pattern.pattern), pattern.callback.view_class  # type: ignore[attr-defined]


DOORS = dict(endpoints())


def methods(view: Any, *, supported: bool) -> list[str]:
    """Return the methods that an endpoint has, or those that it lacks."""
    has = {method: hasattr(view, "get" if method == "HEAD" else method.lower()) for method in METHODS}
    return [method for method, found in has.items() if found == supported]


def objects(state: str) -> dict[str, Any]:
    """Return the objects of the routes: usable ones, ones that refuse acts, or missing ones."""
    if state == "missing":
        return {**dict.fromkeys(NUMBERED, MISSING), "code": "missing", "worker": "missing"}
    job, document, session = make_job(items=2), make_document(2), make_session()
    endpoint = add_endpoint(url=f"https://example.com/{state}", actor=None).endpoint
    channel = Channel.objects.create(name=state, kind="mail", address="", masked="mail", created_at=timezone.now())
    event = Event.objects.filter(job=make_job(items=1, done=1), outward=state == "existing").first()
    assert event is not None
    cause = Cause(IncidentKind.JOB_FAILED, about=state, title=state)
    open_incidents([Finding(cause, [job.pk])], now=timezone.now())
    incident = Incident.objects.get(cause=state)
    if state == "wrong-state":
        end(incident, by=RECOVERED, now=timezone.now())
        disable_endpoint(endpoint, actor=None)
        for each in (job, document.job, session.job):
            operations.cancel(each, actor=None)
    return {
        "job_id": job.pk,
        "code": "items",
        "worker": "w1",
        "event_id": event.pk,
        "endpoint_id": endpoint.pk,
        "channel_id": channel.pk,
        "incident_id": incident.pk,
        "rule_id": operations.add_rule(channel, actor=None).pk,
        "document_id": document.pk,
        "session_id": session.pk,
        "item_id": item_of(job, "k0").pk,
    }


def address(route: str, named: dict[str, Any]) -> str:
    """Return the path of an endpoint for these objects."""
    for name, value in named.items():
        for kind in ("int", "str", "path"):
            route = route.replace(f"<{kind}:{name}>", str(value))
    assert "<" not in route
    return f"/api/v1/{route}"


def status(api: Api, method: str, path: str) -> int:
    """Return the status code of the answer."""
    response = api.client.generic(method, path, "{}", content_type="application/json")
    return int(response.status_code)


@pytest.fixture
def account(api: Any) -> Api:
    """An account with every permission of the kernel and no role."""
    made: Api = api("")
    made.account.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs"))
    return made


def test_every_endpoint_but_the_documents_is_an_api_view() -> None:
    assert all(issubclass(view, APIBaseView) for view in DOORS.values())
    assert len(DOORS) > 40


@pytest.mark.parametrize("state", ["existing", "wrong-state", "missing"])
def test_without_the_permission_an_object_in_every_state_is_403(account: Api, state: str) -> None:
    named, wrong = objects(state), []
    for route, view in DOORS.items():
        for method in methods(view, supported=True):
            for codename in view.needs(method):
                permission = Permission.objects.get(content_type__app_label="jobs", codename=codename)
                account.account.user_permissions.remove(permission)
                answered = status(account, method, address(route, named))
                account.account.user_permissions.add(permission)
                wrong += [(method, route, codename, answered)] if answered != 403 else []
    assert not wrong


@pytest.mark.parametrize("state", ["existing", "wrong-state", "missing"])
@pytest.mark.parametrize("may", [True, False])
def test_a_method_that_an_endpoint_lacks_is_405_for_every_account(account: Api, state: str, may: bool) -> None:
    if not may:
        account.account.user_permissions.clear()
    named = objects(state)
    asked = [(method, route) for route, view in DOORS.items() for method in methods(view, supported=False)]
    assert ("PUT", "jobs/<int:job_id>") in asked
    assert not [each for each in asked if status(account, each[0], address(each[1], named)) != 405]


def test_an_invisible_object_is_404_even_with_the_permission(account: Api) -> None:
    Membership.objects.create(user=account.account, project="another")
    for named in (objects("existing"), objects("wrong-state"), objects("missing")):
        asked = [
            (method, route) for route, view in DOORS.items() for method in methods(view, supported=True) if "<" in route
        ]
        assert not [each for each in asked if status(account, each[0], address(each[1], named)) != 404]


@pytest.mark.parametrize("pk", [2**63, 10**24])
def test_an_id_beyond_the_integers_of_a_database_is_404(account: Api, pk: int) -> None:
    named = {**dict.fromkeys(objects("missing"), pk), "code": "items"}
    asked = [
        (method, route) for route, view in DOORS.items() for method in methods(view, supported=True) if "<" in route
    ]
    assert not [each for each in asked if status(account, each[0], address(each[1], named)) != 404]


@pytest.mark.parametrize("role", ["viewer", "worker"])
def test_a_replay_of_an_inner_event_tells_nothing_to_those_who_may_not_replay(api: Any, role: str) -> None:
    named = objects("wrong-state")
    response = api(role).post(f"/events/{named['event_id']}/replay")
    assert (response.status_code, "jobs.replay_event" in response.json()["detail"]) == (403, True)


@pytest.mark.parametrize("value", ["1e2", "%2B5", "5.0", "%205", "5%20", "%D9%A5", "1_000", "0x5", "5,0", "9" * 20])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/jobs", "limit"),
        ("/errors", "limit"),
        ("/events", "limit"),
        ("/events", "after"),
        ("/events", "job"),
        ("/documents", "limit"),
        ("/training", "limit"),
    ],
)
def test_an_integer_of_an_address_is_written_in_plain_digits(lead: Api, path: str, name: str, value: str) -> None:
    response = lead.get(f"{path}?{name}={value}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, name)
    assert lead.get(f"{path}?{name}=5").status_code == 200
