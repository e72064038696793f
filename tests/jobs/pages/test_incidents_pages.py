"""The pages of incidents: the list with its tabs and filters, the page of one, the acts."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations, watchdog
from jobs.console.incidents.views import LISTED
from jobs.models import Incident
from jobs.operations import bulk
from tests.factories import make_job
from tests.jobs.incidents.conftest import make_failed, the_incident

LIST = "/admin/incidents/"


def page_of(incident: Incident) -> str:
    """Return the address of its page."""
    return f"{LIST}{incident.pk}/"


def test_the_list_has_a_tab_for_each_state_and_filters(lead: Any) -> None:
    make_failed("disk full", name="alpha-1", project="alpha")
    make_failed("no memory", name="beta-1", project="beta")
    known = Incident.objects.get(project="beta")
    operations.INCIDENT_ACTS["acknowledge"](known, actor=None)
    page = lead.open(LIST)
    assert [text for text in page.links() if text.startswith(("Open", "Acknowledged", "Snoozed", "Resolved"))] == [
        "Open 1", "Acknowledged 1", "Snoozed 0", "Resolved",
    ]  # fmt: skip
    assert "alpha-1" in page.section("incidents")
    assert "beta-1" not in page.text
    assert "beta-1" in lead.open(page.links()["Acknowledged 1"]).text
    assert "alpha-1" not in lead.open(f"{LIST}?project=beta").text
    assert "No incident is open under these filters." in lead.open(f"{LIST}?kind=job_stuck").text
    operations.INCIDENT_ACTS["resolve"](known, actor=None, reason="Old.")
    assert "Generic jobs failed: no memory" in lead.open(f"{LIST}?state=resolved").text


def test_a_long_list_has_a_next_page(lead: Any) -> None:
    for number in range(LISTED + 1):
        make_failed(name=f"job-{number}", project=f"p-{number}")
    first = lead.open(LIST)
    second = lead.open(first.links()["Next page"])
    assert [sum(f"job-{n}" in page.links() for n in range(LISTED + 1)) for page in (first, second)] == [LISTED, 1]


@pytest.mark.parametrize("query", ["?state=nonsense", "?page=0", "?page=x", "?page=99999999999", "?kind=%00"])
def test_an_address_that_makes_no_sense_still_shows_the_list(lead: Any, query: str) -> None:
    make_failed(name="there")
    lead.open(LIST + query)


def test_the_page_says_what_since_when_how_many_why_and_what_can_be_done(lead: Any) -> None:
    for number in range(3):
        make_failed(f"Timeout after {number} s", name=f"ocr-{number}", project="matter")
    watchdog.sweep()
    page = lead.open(page_of(the_incident()))
    assert page.root.find("h1")[0].text == "Generic jobs failed: Timeout after 0 s"
    assert "Failed Open since" in page.text
    assert "3 jobs · project matter" in page.text
    assert "diagnosis of ocr-0, the first of 3 jobs" in page.section("why")
    assert "Retry in 3 jobs…" in page.links()
    assert [name for name in page.links() if name.startswith("ocr-")] == ["ocr-0", "ocr-1", "ocr-2"]
    assert "opened 1 job." in page.section("history")
    assert "system" in page.section("history")


def test_an_act_on_all_jobs_of_an_incident_ends_it(lead: Any) -> None:
    for number in range(3):
        make_failed(name=f"ocr-{number}")
    make_failed("another error", name="other")
    watchdog.sweep()
    incident = Incident.objects.order_by("pk")[0]
    asked = lead.open(lead.open(page_of(incident)).links()["Retry in 3 jobs…"])
    assert "other" not in asked.text
    lead.confirm(lead.open(page_of(incident)).links()["Retry in 3 jobs…"], reason="Storage is back.")
    bulk.run_bulk_acts(seconds=60)
    incident.refresh_from_db()
    assert incident.ended_by == "recovered"
    assert "It is over." in lead.open(page_of(incident)).text


def test_an_incident_is_acknowledged_assigned_snoozed_and_resolved_by_page(lead: Any) -> None:
    make_failed()
    at = page_of(the_incident())
    lead.confirm(f"{at}acknowledge/", note="On it.")
    lead.confirm(f"{at}assign/", account=lead.account.username)
    page = lead.open(at)
    assert f"Assigned to {lead.account.username}" in page.text
    assert "On it." in page.section("history")
    assert lead.confirm(f"{at}snooze/", how_long="grows").messages == ["1 incident snoozed."]
    assert the_incident().snoozed_at_subjects == 1
    lead.confirm(f"{at}snooze/", how_long="4h")
    assert the_incident().snoozed_until is not None
    lead.confirm(f"{at}resolve/", reason="Withdrawn.")
    assert the_incident().ended_by == lead.account.username


def test_a_form_that_is_not_complete_says_what_to_enter(lead: Any) -> None:
    make_failed()
    at = page_of(the_incident())
    assert "Enter a time." in lead.confirm(f"{at}snooze/", how_long="other").text
    assert "Enter the name of an account that sees incidents." in lead.confirm(f"{at}assign/", account="unknown").text
    assert the_incident().state == "open"


def test_selected_incidents_are_acknowledged_in_one_step_and_a_refusal_stops_none(lead: Any) -> None:
    make_failed(project="a")
    make_failed(project="b")
    make_job(items=17, done=2, failed=3)
    watchdog.reconcile()
    ids = "&".join(f"incident={pk}" for pk in Incident.objects.values_list("pk", flat=True))
    page = lead.confirm(f"{LIST}act/resolve/?{ids}", reason="Old.")
    assert page.messages[0] == "2 incidents resolved."
    assert "Its cause still holds." in page.messages[1]
    assert list(Incident.objects.ongoing().values_list("kind", flat=True)) == ["errors"]


def test_what_an_account_may_not_do_is_off_and_says_why(browser: Any) -> None:
    make_failed()
    page = browser("viewer").open(page_of(the_incident()))
    off = {button.text: button.attributes["title"] for button in page.root.find("span", cls="off")}
    assert "Can acknowledge incidents" in off["Acknowledge…"]
    assert "Can retry failed items" in off["Retry 1 failed…"]


def test_a_limited_account_sees_incidents_of_its_projects_only(browser: Any) -> None:
    make_failed(name="own", project="a")
    make_failed(name="foreign", project="b")
    make_failed(name="of-the-site")
    limited = browser("lead", projects=["a"])
    text = limited.open(LIST).text
    assert "own" in text
    assert "foreign" not in text
    assert "of-the-site" not in text
    for project in ("b", ""):
        limited.open(page_of(Incident.objects.get(project=project)), status=404)


@pytest.mark.parametrize("many", [1, 9])
def test_the_number_of_queries_of_the_list_does_not_grow(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for number in range(many):
        make_failed(name=f"job-{number}", project=f"p-{number}")
        make_failed(name=f"more-{number}", project=f"q-{number}")
        make_failed(name=f"moree-{number}", project=f"q-{number}")
    watchdog.sweep()
    lead.open(LIST)
    with django_assert_max_num_queries(22):
        lead.open(LIST)
