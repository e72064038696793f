"""The pages of endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs.models import Delivery, Endpoint
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, make_endpoint, receiver, reply

__all__ = ["receiver"]

ENDPOINTS = "/admin/jobs/endpoint/"


def address(endpoint: Endpoint, act: str = "") -> str:
    """Return the page of an endpoint, or of an act on it."""
    return f"{ENDPOINTS}{endpoint.pk}/{f'{act}/' if act else ''}"


@pytest.fixture
def local(settings: Any) -> None:
    """Plain HTTP to this machine is allowed."""
    settings.DEBUG = True
    settings.WEBHOOK_ALLOW_PRIVATE = True


def test_a_lead_adds_an_endpoint_and_sees_its_secret_once(lead: Any) -> None:
    form = {"url": "https://93.184.216.34/hook", "name": "matcher", "types": "*.completed\njob.failed", "project": "a"}
    page = lead.confirm(f"{ENDPOINTS}add/", **form)
    endpoint = Endpoint.objects.get()
    assert endpoint.types == ["*.completed", "job.failed"]
    assert (endpoint.name, endpoint.project, endpoint.account) == ("matcher", "a", lead.account)
    assert page.root.find(id="secret")[0].text == endpoint.secret
    assert "no-store" in page.response.headers["Cache-Control"]
    for later in (ENDPOINTS, address(endpoint), address(endpoint, "edit")):
        assert endpoint.secret not in lead.open(later).source


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://example.com/x", "https URL"), ("https://127.0.0.1/x", "not public"), ("amqp", "AMQP_URL is not set")],
)
def test_an_address_that_is_refused_is_said_at_its_field(lead: Any, settings: Any, url: str, said: str) -> None:
    settings.AMQP_URL = ""
    page = lead.confirm(f"{ENDPOINTS}add/", url=url, types="*")
    [error] = page.root.find(id="id_url_error")
    assert said in error.text
    assert not Endpoint.objects.exists()


def test_the_same_address_twice_for_a_project_is_refused_in_words(lead: Any) -> None:
    make_endpoint("https://93.184.216.34/hook")
    page = lead.confirm(f"{ENDPOINTS}add/", url="https://93.184.216.34/hook", types="*")
    assert "There is an endpoint with this address for this project." in page.text


def test_changing_name_patterns_and_address(lead: Any) -> None:
    endpoint = make_endpoint("https://93.184.216.34/old")
    page = lead.confirm(address(endpoint, "edit"), url="https://93.184.216.34/new", name="new", types="job.*")
    assert page.messages == ["The endpoint was changed."]
    changed = Endpoint.objects.get()
    assert (changed.url, changed.name, changed.types) == ("https://93.184.216.34/new", "new", ["job.*"])
    assert changed.secret == endpoint.secret
    assert LogEntry.objects.get().user == lead.account


def test_changing_to_an_address_that_is_refused_changes_nothing(lead: Any) -> None:
    endpoint = make_endpoint("https://93.184.216.34/old")
    page = lead.confirm(address(endpoint, "edit"), url="https://127.0.0.1/new", name="new", types="*")
    assert "not public" in page.root.find(id="id_url_error")[0].text
    assert Endpoint.objects.get().name == ""


def test_a_test_message_is_sent_now_and_its_answer_is_shown(lead: Any, local: None, receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url)
    assert not receiver.requests
    page = lead.confirm(address(endpoint, "test"))
    assert page.messages == ["The endpoint accepted the test message (HTTP 204)."]
    assert len(receiver.requests) == 1
    assert b"endpoint.test" in receiver.requests[0].body
    assert not Delivery.objects.exists()


def test_a_test_message_that_does_not_arrive_says_why(lead: Any, local: None, receiver: Receiver) -> None:
    receiver.answer = lambda handler, request: reply(handler, 503)
    [message] = lead.confirm(address(make_endpoint(receiver.url), "test")).messages
    assert message.startswith("The test message was not delivered (HTTP 503)")


def test_a_renewed_secret_is_shown_once_and_the_old_one_still_signs(lead: Any) -> None:
    endpoint = make_endpoint()
    page = lead.confirm(address(endpoint, "rotate"))
    renewed = Endpoint.objects.get()
    assert page.root.find(id="secret")[0].text == renewed.secret != endpoint.secret
    assert renewed.previous_secret == endpoint.secret
    assert "The old secret also signs until" in lead.open(address(endpoint)).text


def test_disabling_keeps_the_reason_and_enabling_takes_it_back(lead: Any) -> None:
    endpoint = make_endpoint()
    lead.confirm(address(endpoint, "disable"), reason="moved")
    page = lead.open(address(endpoint))
    assert "Disabled" in page.text
    assert "moved" in page.text
    lead.confirm(address(endpoint, "enable"))
    assert Endpoint.objects.active().exists()


def test_removing_says_before_and_after_what_is_lost(lead: Any) -> None:
    endpoint = make_endpoint(name="matcher", types=["job.completed"])
    make_job(items=1, done=1)
    assert "1 waiting delivery is removed with it" in lead.open(address(endpoint, "remove")).text
    page = lead.confirm(address(endpoint, "remove"), reason="gone")
    assert page.messages == ["matcher is removed, with 1 waiting delivery."]
    assert not Endpoint.objects.exists()


def test_the_page_and_the_list_link_to_what_is_not_sent(lead: Any) -> None:
    endpoint = make_endpoint(name="matcher", types=["job.completed"])
    make_job(items=1, done=1)
    page = lead.open(address(endpoint))
    assert page.links()["1"] == f"/admin/jobs/delivery/?status=waiting&endpoint={endpoint.pk}"
    assert page.links()["job.completed"] == f"/admin/jobs/delivery/{Delivery.objects.get().pk}/"
    listed = lead.open(ENDPOINTS).links()
    assert listed["matcher"] == address(endpoint)
    assert listed["Waiting"] == f"/admin/jobs/delivery/?status=waiting&endpoint={endpoint.pk}"


@pytest.mark.parametrize("act", ["edit", "test", "rotate", "disable", "enable", "remove"])
@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_managing_needs_its_permission(browser: Any, role: str, act: str) -> None:
    endpoint = make_endpoint()
    assert "jobs.manage_endpoints" in browser(role).open(address(endpoint, act), status=403).text
    assert browser(role).client.post(address(endpoint, act), {}).status_code == 403
    assert list(Endpoint.objects.values()) == [Endpoint.objects.values().get(secret=endpoint.secret, active=True)]


def test_who_only_reads_sees_no_buttons(browser: Any) -> None:
    endpoint = make_endpoint()
    assert "Send a test…" not in browser("viewer").open(address(endpoint)).text
    assert "Add an endpoint" not in browser("viewer").open(ENDPOINTS).text
    assert "Add an endpoint" in browser("lead").open(ENDPOINTS).text


@pytest.mark.parametrize("act", ["", "edit", "test", "rotate", "disable", "remove"])
def test_endpoints_of_other_projects_are_not_visible(browser: Any, act: str) -> None:
    limited = browser("lead", projects=["a"])
    for endpoint in (make_endpoint(project="b"), make_endpoint()):
        limited.open(address(endpoint, act), status=404)
        assert limited.client.post(address(endpoint, act), {}).status_code == 404
    assert Endpoint.objects.active().count() == 2


@pytest.mark.parametrize("many", [2, 30])
def test_the_queries_of_the_list_do_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for n in range(many):
        make_endpoint(f"https://example.com/{n}")
    lead.open(ENDPOINTS)
    with django_assert_max_num_queries(10):
        lead.open(ENDPOINTS)
