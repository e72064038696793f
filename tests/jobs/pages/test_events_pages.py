"""The pages of the event side: deliveries, replay, the timeline, contracts, and the line on the overview."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import contracts
from jobs.models import Delivery, Endpoint, Event, Job
from jobs.models.outbox import DeliveryStatus
from tests.factories import make_job
from tests.jobs.outbox.conftest import make_endpoint

DELIVERIES = "/admin/jobs/delivery/"


def job_with_events(**fields: Any) -> Job:
    """A completed job of one item, whose events wait for every endpoint there is."""
    return make_job(items=1, done=1, **fields)


def kill(**filters: Any) -> None:
    """Mark these deliveries as dead."""
    Delivery.objects.filter(**filters).update(
        status=DeliveryStatus.DEAD, tries=8, error="HTTP 500", response_status=500
    )


def completed(job: Job) -> Event:
    """The job.completed event."""
    return job.events.get(type="job.completed")


def replay(event: Event) -> str:
    """Return the page that replays all deliveries of an event."""
    return f"/admin/replay/?event={event.pk}"


# --- the overview --------------------------------------------------------------------------------------


def test_the_overview_counts_what_waits_and_what_is_dead(lead: Any) -> None:
    make_endpoint(types=["*.completed"])
    job_with_events()
    kill(event__type="items.completed")
    page = lead.open("/admin/")
    assert page.section("deliveries").startswith("Deliveries 1 waiting 1 dead The oldest waiting delivery was created")
    assert "1 dead" in page.section("deliveries")
    assert page.links()["1 dead"] == f"{DELIVERIES}?status=dead"


def test_the_overview_counts_only_deliveries_of_visible_jobs(browser: Any) -> None:
    make_endpoint(types=["job.completed"])
    job_with_events(project="a")
    job_with_events(project="b")
    assert "1 waiting" in browser("viewer", projects=["a"]).open("/admin/").section("deliveries")


# --- the timeline --------------------------------------------------------------------------------------


def test_the_timeline_shows_what_became_of_each_outward_event(lead: Any) -> None:
    for name in ("matcher", "evidence"):
        make_endpoint(f"https://example.com/{name}", name=name, types=["job.completed"])
    job = job_with_events()
    kill(endpoint__name="evidence")
    timeline = lead.open(job.get_absolute_url()).section("timeline")
    assert "Waiting matcher next try" in timeline
    assert "Dead evidence HTTP 500" in timeline
    assert timeline.count("Replay…") == 1


def test_only_who_may_replay_is_offered_it(browser: Any) -> None:
    make_endpoint()
    job = job_with_events()
    timeline = browser("operator").open(job.get_absolute_url()).section("timeline")
    assert "Waiting example.com" in timeline
    assert "Replay…" not in timeline


@pytest.mark.parametrize("endpoints", [1, 8])
def test_the_queries_of_the_job_page_do_not_grow_with_the_deliveries(
    lead: Any, django_assert_max_num_queries: Any, endpoints: int
) -> None:
    for n in range(endpoints):
        make_endpoint(f"https://example.com/{n}")
    job = job_with_events()
    lead.open(job.get_absolute_url())
    with django_assert_max_num_queries(26):
        lead.open(job.get_absolute_url())


# --- the list and the page of a delivery ---------------------------------------------------------------


def rows(page: Any) -> list[str]:
    """The types of events in the list."""
    return [cell.text for cell in page.root.find("td", cls="field-name")]


def test_the_list_shows_what_is_not_sent_unless_asked_otherwise(lead: Any) -> None:
    make_endpoint()
    job_with_events()
    Delivery.objects.filter(event__type="items.completed").update(status="sent", sent_at=timezone.now())
    assert rows(lead.open(DELIVERIES)) == ["job.completed"]
    assert rows(lead.open(f"{DELIVERIES}?status=sent")) == ["items.completed"]
    assert rows(lead.open(f"{DELIVERIES}?status=dead")) == []
    assert len(rows(lead.open(f"{DELIVERIES}?status=all"))) == 2


def test_the_list_is_searched_by_job_and_by_event_id_and_narrowed_to_an_endpoint(lead: Any) -> None:
    one, two = (make_endpoint(f"https://example.com/{n}", types=["job.completed"]) for n in "12")
    first, _ = job_with_events(name="first"), job_with_events(name="second")
    assert len(rows(lead.open(f"{DELIVERIES}?q=first"))) == 2
    assert len(rows(lead.open(f"{DELIVERIES}?q={completed(first).event_id}"))) == 2
    assert len(rows(lead.open(f"{DELIVERIES}?endpoint={two.pk}"))) == 2
    assert len(rows(lead.open(f"{DELIVERIES}?q=first&endpoint={one.pk}"))) == 1


@pytest.mark.parametrize("query", ["endpoint=%C2%B2", "endpoint=99999999999999999999", "status=odd", "q=%00"])
def test_an_address_that_makes_no_sense_still_shows_the_list(lead: Any, query: str) -> None:
    lead.open(f"{DELIVERIES}?{query}")


@pytest.mark.parametrize("many", [2, 30])
def test_the_queries_of_the_list_do_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    make_endpoint()
    for _ in range(many):
        job_with_events()
    lead.open(DELIVERIES)
    with django_assert_max_num_queries(10):
        lead.open(DELIVERIES)


def test_limited_accounts_see_deliveries_of_their_projects_only(browser: Any) -> None:
    make_endpoint(types=["job.completed"])
    job_with_events(project="a")
    other = job_with_events(project="b").deliveries.get()
    limited = browser("viewer", projects=["a"])
    assert len(rows(limited.open(DELIVERIES))) == 1
    limited.open(f"{DELIVERIES}{other.pk}/", status=404)


def test_the_page_of_a_delivery_shows_error_answer_and_payload(lead: Any) -> None:
    make_endpoint(name="matcher", types=["job.completed"])
    job = job_with_events(name="<b>batch</b>")
    kill()
    page = lead.open(f"{DELIVERIES}{job.deliveries.get().pk}/")
    assert "job.completed to matcher Dead" in page.text
    assert "Not delivered after 8 tries" in page.text
    assert "HTTP 500" in page.text
    assert str(completed(job).event_id) in page.text
    assert '"status": "completed"' in page.text
    assert "<b>batch</b>" not in page.source


def test_deliveries_do_not_show_a_secret_in_an_address(browser: Any) -> None:
    make_endpoint("https://user:pass@hooks.example.com/services/T0KEN", types=["job.completed"])
    job = job_with_events(project="a")
    limited = browser("viewer", projects=["a"])
    pages = (DELIVERIES, f"{DELIVERIES}{job.deliveries.get().pk}/", job.get_absolute_url())
    for page in map(limited.open, pages):
        assert "hooks.example.com" in page.text
        assert "T0KEN" not in page.source
        assert "pass@" not in page.source


@pytest.mark.parametrize("address", [DELIVERIES, "/admin/jobs/endpoint/", "/admin/jobs/inboxmessage/"])
def test_without_the_permission_a_list_is_refused(browser: Any, address: str) -> None:
    assert browser("").client.get(address).status_code == 403


# --- replay --------------------------------------------------------------------------------------------


def test_replay_asks_first_and_then_every_delivery_of_the_event_waits_again(lead: Any) -> None:
    for n in "12":
        make_endpoint(f"https://example.com/{n}", types=["job.completed"])
    job = job_with_events()
    kill()
    event = completed(job)
    asked = lead.open(replay(event))
    assert "Each has the same event id as before." in asked.text
    assert Delivery.objects.dead().count() == 2
    page = lead.confirm(replay(event), page=asked, reason="receiver is back")
    assert page.messages == ["2 deliveries queued again with the same event id."]
    assert Delivery.objects.waiting().filter(event=event, tries=0).count() == 2
    assert job.events.get(type="operator.replay").reason == "receiver is back"
    assert completed(job).event_id == event.event_id


def test_selected_deliveries_are_replayed_alone_and_the_list_keeps_its_filters(lead: Any) -> None:
    make_endpoint()
    job = job_with_events()
    kill()
    chosen = job.deliveries.get(event__type="job.completed")
    address = f"{DELIVERIES}?status=dead"
    asked = lead.client.post(address, {"action": "replay", "_selected_action": chosen.pk})
    assert asked.status_code == 302
    page = lead.confirm(asked.url)
    assert page.response.redirect_chain[-1] == (address, 302)
    assert list(Delivery.objects.waiting()) == [chosen]


def test_a_disabled_endpoint_is_left_and_the_page_says_so(lead: Any) -> None:
    endpoint = make_endpoint(types=["job.completed"])
    job = job_with_events()
    kill()
    Endpoint.objects.filter(pk=endpoint.pk).update(active=False)
    page = lead.open(replay(completed(job)))
    assert "Unchanged: The endpoint is disabled." in page.text
    assert "Deliver 0" not in page.text
    assert Delivery.objects.dead().count() == 1


def test_a_change_since_the_page_was_loaded_is_shown_first(lead: Any) -> None:
    make_endpoint(types=["job.completed"])
    job = job_with_events()
    event = completed(job)
    asked = lead.open(replay(event))
    kill()
    page = lead.confirm(replay(event), page=asked)
    changed = "Some of these deliveries were sent or marked as dead since this page was loaded."
    assert page.messages == [f"{changed} Check the current numbers and confirm again."]
    assert Delivery.objects.dead().count() == 1
    lead.confirm(replay(event), page=page)
    assert Delivery.objects.dead().count() == 0


@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_replay_needs_its_permission(browser: Any, role: str) -> None:
    make_endpoint(types=["job.completed"])
    event = completed(job_with_events())
    page = browser(role).open(replay(event), status=403)
    assert "jobs.replay_event" in page.text
    assert browser(role).client.post(replay(event)).status_code == 403


def test_deliveries_that_are_not_visible_are_not_replayed(browser: Any) -> None:
    make_endpoint(types=["job.completed"])
    event = completed(job_with_events(project="b"))
    kill()
    limited = browser("lead", projects=["a"])
    limited.open(replay(event), status=404)
    assert limited.client.post(replay(event)).status_code == 404
    assert Delivery.objects.dead().count() == 1


def test_a_replayed_delivery_is_due_at_once(lead: Any) -> None:
    make_endpoint(types=["job.completed"])
    event = completed(job_with_events())
    Delivery.objects.update(next_try_at=timezone.now() + timedelta(hours=5), tries=4)
    lead.confirm(replay(event))
    assert Delivery.objects.due(timezone.now()).count() == 1


# --- contracts -----------------------------------------------------------------------------------------


def test_the_page_of_contracts_lists_every_type_with_its_fields_and_examples(browser: Any) -> None:
    page = browser("viewer").open("/admin/contracts/")
    for contract in contracts.all():
        [entry] = page.root.find("details", id=contract.type)
        assert contract.description in entry.text
        assert len(entry.find("pre")) == len(contract.examples)
        assert all(name in entry.text for name in contract.schema["properties"])
