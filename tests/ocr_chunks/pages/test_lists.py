"""The lists of documents and of chunks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, watchdog
from jobs.models import Item
from tests.factories import item_of, make_job, phase_of
from tests.ocr_chunks.pages.papers import CHUNKS, LIST, TIMEOUT, address, make_document, tell, tell_merge

LISTS = [f"{LIST}?status=all", CHUNKS]


def named(page: Any) -> list[str]:
    """The documents of a list, from above."""
    return [cell.text for row in page.root.find("tr") for cell in row.find(cls="field-link")]


def merged(name: str, **fields: Any) -> None:
    """A document that is completed."""
    job = make_document(name=name, pages=50, done=[1, 2], **fields)
    tell_merge(job, "completed")


# --- documents -----------------------------------------------------------------------------------------


def test_the_list_shows_what_is_not_finished_unless_asked_otherwise(lead: Any) -> None:
    make_document(name="runs.pdf", done=[1])
    merged("over.pdf")
    make_job(name="no document", items=1)
    assert named(lead.open(LIST)) == ["runs.pdf"]
    assert named(lead.open(f"{LIST}?status=completed")) == ["over.pdf"]
    assert sorted(named(lead.open(f"{LIST}?status=all"))) == ["over.pdf", "runs.pdf"]


def test_what_changed_last_is_first(lead: Any) -> None:
    first = make_document(name="first.pdf")
    make_document(name="second.pdf")
    tell(first, [1], "completed")
    assert named(lead.open(LIST)) == ["first.pdf", "second.pdf"]


def test_filters_find_stuck_and_partial_documents(lead: Any) -> None:
    make_document(name="stuck.pdf", done=[1])
    watchdog.find_stuck(timezone.now() + timedelta(hours=1))
    partial = make_document(name="partial.pdf", pages=50, done=[1])
    operations.force_complete(partial, actor=None, reason="enough")
    make_document(name="fine.pdf")
    assert named(lead.open(f"{LIST}?stuck=yes")) == ["stuck.pdf"]
    assert named(lead.open(f"{LIST}?partial=yes")) == ["partial.pdf"]


def test_documents_are_found_by_a_part_of_their_name_or_a_whole_project(lead: Any) -> None:
    make_document(name="lease.pdf", project="matter-7")
    make_document(name="contract.pdf", project="matter-78")
    assert named(lead.open(f"{LIST}?q=lea")) == ["lease.pdf"]
    assert named(lead.open(f"{LIST}?q=matter-7")) == ["lease.pdf"]
    assert named(lead.open(f"{LIST}?project=matter-78")) == ["contract.pdf"]
    assert named(lead.open(f"{LIST}?project=matter")) == []


def test_the_field_for_the_project_keeps_the_other_filters(lead: Any) -> None:
    page = lead.open(f"{LIST}?status=all&q=lea&project=m&p=0")
    [form] = page.root.find("form", aria_label="Project")
    fields = {field.attributes["name"]: field.attributes.get("value") for field in form.find("input")}
    assert fields == {"status": "all", "q": "lea", "project": "m"}
    assert "?q=lea&status=all" in page.links().values()


def test_a_row_shows_state_project_pages_chunks_failures_and_stage(lead: Any) -> None:
    job = make_document(name="contract.pdf", project="matter-789", done=range(1, 11), failed=[11])
    page = lead.open(LIST)
    assert page.links()["contract.pdf"] == address(job)
    assert page.links()["matter-789"] == "?status=all&project=matter-789"
    [row] = [row for row in page.root.find("tr") if row.find(cls="field-link")]
    assert [cell.text for cell in row.find("td")[3:8]] == [
        "matter-789",
        "422",
        "58 % 10 of 17",
        "1",
        "Processing chunk 10/17 · 1 failed",
    ]
    assert row.find(cls="pill")[0].text == "Running"
    assert row.find("svg", role="progressbar")[0].attributes["aria-valuetext"] == "58 % done, 6 % failed"


def test_failed_chunks_of_ticked_documents_are_retried_through_the_page_that_asks(lead: Any) -> None:
    jobs = [make_document(name=name, done=[1], failed=[2, 3]) for name in ("a.pdf", "b.pdf")]
    data = {"action": "retry", "_selected_action": [job.pk for job in jobs]}
    response = lead.client.post(LIST, data)
    assert "/admin/jobs/job/act/retry/" in response.url
    assert "phase=ocr" in response.url
    page = lead.confirm(response.url)
    assert page.messages == ["4 items retried in 2 jobs. Show the result of each job"]
    assert page.response.redirect_chain == [(LIST, 302)]


def test_retrying_chunks_leaves_a_failed_merge_alone(lead: Any) -> None:
    job = make_document(pages=50, done=[1, 2])
    tell_merge(job, "failed", error="disk full")
    response = lead.client.post(f"{LIST}?status=all", {"action": "retry", "_selected_action": [job.pk]})
    assert "There is no failed item to retry." in lead.open(response.url).text
    assert phase_of(job, "merge").failed == 1


@pytest.mark.parametrize(("role", "offered"), [("viewer", False), ("operator", True), ("lead", True)])
def test_the_bar_holds_the_retry_for_who_may_do_it(browser: Any, role: str, offered: bool) -> None:
    make_document(failed=[1])
    for place, words in ((LIST, "Retry failed chunks of these documents…"), (CHUNKS, "Retry these chunks…")):
        buttons = browser(role).open(place).root.find("button", name="action")
        assert (words in [button.attributes["title"] for button in buttons]) is offered


def test_the_navigation_leads_to_the_documents(lead: Any) -> None:
    assert lead.open("/admin/").links()["Documents"] == LIST


# --- chunks --------------------------------------------------------------------------------------------


def test_a_chunk_shows_state_pages_document_worker_and_error(lead: Any) -> None:
    job = make_document(name="contract.pdf", failed=[5])
    page = lead.open(f"{CHUNKS}?status=failed")
    [row] = [row for row in page.root.find("tr") if row.find(cls="field-link")]
    assert row.find(cls="pill")[0].text == "Failed"
    assert [row.find(cls=f"field-{name}")[0].text for name in ("name", "pages", "link", "worker", "error")] == [
        "Chunk 5",
        "101-125",
        "contract.pdf",
        "ocr-1",
        TIMEOUT,
    ]
    assert page.links()["contract.pdf"] == address(job)
    assert "Chunk 5 (pages 101-125)" in lead.open(page.links()["Chunk 5"]).text


@pytest.mark.parametrize(("status", "number"), [("completed", 2), ("failed", 1), ("processing", 1), ("pending", 13)])
def test_chunks_are_filtered_by_status(lead: Any, status: str, number: int) -> None:
    make_document(done=[1, 2], failed=[3], held=[4])
    assert len(named(lead.open(f"{CHUNKS}?status={status}"))) == number


def test_chunks_are_found_by_the_name_of_their_document_or_by_their_error(lead: Any) -> None:
    make_document(name="lease.pdf", pages=50)
    make_document(name="other.pdf", failed=[3], error="no text layer")
    assert named(lead.open(f"{CHUNKS}?q=lease")) == ["lease.pdf"] * 2
    assert named(lead.open(f"{CHUNKS}?q=TEXT+lay")) == ["other.pdf"]


def test_ticked_chunks_are_retried_through_the_page_that_asks(lead: Any) -> None:
    one, other = make_document(failed=[1, 2]), make_document(failed=[3])
    ids = [item_of(one, "0").pk, item_of(other, "2").pk]
    response = lead.client.post(f"{CHUNKS}?status=failed", {"action": "retry", "_selected_action": ids})
    page = lead.confirm(response.url)
    assert page.messages == ["2 items retried in 2 jobs. Show the result of each job"]
    assert list(Item.objects.failed().values_list("key", flat=True)) == ["1"]


def test_the_form_of_a_chunk_is_the_page_of_its_item(lead: Any) -> None:
    job = make_document()
    item = item_of(job, "0")
    page = lead.open(f"{CHUNKS}{item.pk}/change/")
    assert page.response.redirect_chain[-1][0] == f"/admin/jobs/item/{item.pk}/change/"
    assert lead.open(f"{CHUNKS}{item.pk + 1000}/change/").response.redirect_chain[-1][0] == CHUNKS


# --- both ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", LISTS)
def test_a_limited_account_sees_only_rows_of_its_projects(browser: Any, place: str) -> None:
    make_document(name="of-a.pdf", project="a")
    make_document(name="of-b.pdf", project="b")
    page = browser("viewer", projects=["a"]).open(place)
    assert "of-a.pdf" in page.text
    assert "of-b.pdf" not in page.text


@pytest.mark.parametrize("place", LISTS)
def test_without_the_permission_a_list_is_refused(browser: Any, place: str) -> None:
    assert browser("").client.get(place).status_code == 403


@pytest.mark.parametrize("place", [LIST, CHUNKS])
def test_what_workers_own_is_only_read(lead: Any, place: str) -> None:
    job = make_document()
    pk = job.pk if place == LIST else item_of(job, "0").pk
    assert lead.client.get(f"{place}add/").status_code == 403
    assert lead.client.post(f"{place}{pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("place", LISTS)
@pytest.mark.parametrize("many", [2, 30])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, place: str, many: int
) -> None:
    for _ in range(many):
        make_document(done=[1], failed=[2])
    lead.open(place)
    with django_assert_max_num_queries(10):
        lead.open(place)


@pytest.mark.parametrize("place", LISTS)
def test_lists_filter_without_asking_which_values_there_are(lead: Any, place: str) -> None:
    make_document(failed=[1], project="a")
    with CaptureQueriesContext(connection) as queries:
        lead.open(place)
    assert not [query for query in queries.captured_queries if "DISTINCT" in query["sql"]]


@pytest.mark.parametrize("query", ["?project=%00", "?q=%00", "?status=nonsense", "?p=x", "?e=1", "?project=%ff"])
@pytest.mark.parametrize("place", [LIST, CHUNKS])
def test_an_address_that_makes_no_sense_still_shows_the_list(lead: Any, place: str, query: str) -> None:
    make_document(name="there.pdf")
    assert lead.open(f"{place}{query}").root.find(id="changelist")


def test_what_workers_write_is_text_in_the_lists(lead: Any) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    make_document(name=evil, project=evil, failed=[1], error=evil)
    for place in LISTS:
        assert "<img" not in lead.open(place).source
