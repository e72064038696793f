"""Filters of lists: typed words, periods, metadata, chips, chosen columns, totals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from jobs.console.admin.filter_words import parameters_of
from jobs.models import Job
from tests.factories import make_job
from tests.jobs.pages.test_lists import JOBS, listed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("scan", []),
        ("scan status=failed", [("status", "failed"), ("q", "scan")]),
        ('metadata.customer="Acme Ltd" kind=ocr', [("metadata.customer", "Acme Ltd"), ("kind", "ocr"), ("q", "")]),
        ("a=b other.x=1", []),
        ("x" * 100_000, []),
    ],
)
def test_known_words_are_filters_and_others_stay_a_search(text: str, found: list[tuple[str, str]]) -> None:
    assert parameters_of(text, known={"status", "kind", "metadata."}) == found


def test_typed_filters_become_parameters_of_the_address(lead: Any) -> None:
    make_job(name="a-scan", items=1, metadata={"customer": "acme"})
    make_job(name="b-scan", items=1, metadata={"customer": "globex"})
    page = lead.open(f"{JOBS}?q=scan+metadata.customer%3Dacme+status%3Dall&p=2")
    [(address, _)] = page.response.redirect_chain
    assert address == "?q=scan&metadata.customer=acme&status=all"
    assert listed(page) == ["a-scan"]


@pytest.mark.parametrize(("key", "value"), [("text", "a b"), ("number", "7"), ("yes", "true")])
def test_metadata_match_by_their_whole_value(lead: Any, key: str, value: str) -> None:
    make_job(name="has", items=1, metadata={"text": "a b", "number": 7, "yes": True})
    make_job(name="has not", items=1, metadata={"text": "a", "number": 77, "yes": "no"})
    page = lead.client.get(JOBS, {f"metadata.{key}": value})
    assert [job.name for job in page.context["cl"].result_list] == ["has"]


def test_periods_include_their_last_day(lead: Any) -> None:
    moment = datetime(2026, 3, 5, 23, 59, tzinfo=UTC)
    for name, days in (("before", -1), ("within", 0), ("after", 1)):
        job = make_job(name=name, items=1, done=1)
        at = moment + timedelta(days=days)
        Job.objects.filter(pk=job.pk).update(created_at=at, finished_at=at, due_at=at)
    for field in ("created", "finished", "due"):
        query = f"{field}_from=2026-03-05&{field}_to=2026-03-05"
        assert listed(lead.open(f"{JOBS}?status=all&{query}")) == ["within"], field
    assert listed(lead.open(f"{JOBS}?finished_from=2026-03-05&finished_to=2026-03-05")) == ["within"]
    Job.objects.filter(name="after").update(due_at=now() + timedelta(minutes=30))
    assert listed(lead.open(f"{JOBS}?status=all&due=1h")) == ["after"]


@pytest.mark.parametrize("value", ["nonsense", "2026-13-01", "0001-01-01", "9999-12-31", "2026-01-01T00:00+14:00", "0"])
def test_no_day_is_an_error_of_the_server(lead: Any, value: str) -> None:
    for name in ("created_from", "created_to", "due_to"):
        page = lead.client.get(JOBS, {name: value}, follow=True)
        assert page.status_code == 200


def test_a_wrong_day_says_what_to_enter(lead: Any) -> None:
    page = lead.open(f"{JOBS}?created_from=yesterday")
    assert "Created: enter a day such as 2026-11-30, or 2026-11-30T14:00." in page.messages


def test_each_filter_is_a_chip_that_removes_it(lead: Any) -> None:
    make_job(name="scan", items=1, project="p")
    page = lead.open(f"{JOBS}?q=scan&kind=generic&created_from=2020-01-01&metadata.a=1")
    [chips] = page.root.find("ul", cls="chips")
    links = {link.text: link.attributes["href"] for link in chips.find("a")}
    assert links["Kind: Generic ✕, remove"] == "?created_from=2020-01-01&metadata.a=1&q=scan"
    assert links["“scan” ✕, remove"] == "?created_from=2020-01-01&kind=generic&metadata.a=1"
    assert {"Created from 2020-01-01 ✕, remove", "a = 1 ✕, remove"} <= set(links)
    assert links["Clear all"] == "?"


def test_the_default_of_a_list_is_said(lead: Any) -> None:
    make_job(items=1)
    [chips] = lead.open(JOBS).root.find("ul", cls="chips")
    assert chips.text == "Not finished"
    assert "Not finished" not in lead.open(f"{JOBS}?q=x").root.find("ul", cls="chips")[0].text


def test_columns_are_chosen_in_the_address_and_the_name_stays(lead: Any) -> None:
    make_job(name="runs", items=1, metadata={"customer": "acme"})
    page = lead.open(f"{JOBS}?columns=metadata_text&columns=nonsense")
    headers = [th.text for th in page.root.find("th") if th.attributes.get("scope") == "col"]
    assert headers[1:] == ["Status", "Job", "Metadata"]
    assert "customer=acme" in page.text
    assert listed(lead.open(f"{JOBS}?columns=nonsense")) == ["runs"]


def test_the_totals_are_those_of_all_that_match(lead: Any) -> None:
    for n in range(3):
        make_job(name=f"done-{n}", items=1, done=1)
    make_job(name="waits", items=1)
    [totals] = lead.open(f"{JOBS}?status=all").root.find(cls="totals")
    assert totals.text == "4 jobs · 3 completed · 1 pending"


@pytest.mark.parametrize("key", ['a"b', "a\\b", "a'b", "a.b", "$"])
def test_metadata_match_whatever_is_in_their_key(lead: Any, key: str) -> None:
    make_job(name="has", items=1, metadata={key: True})
    make_job(name="has not", items=1, metadata={"a": True})
    page = lead.client.get(JOBS, {f"metadata.{key}": "true"})
    assert [job.name for job in page.context_data["cl"].result_list] == ["has"]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("projectlimit", "No project is limited."),
        ("endpoint", "An endpoint is a program that receives events"),
        ("channel", "A channel sends incidents"),
        ("bulkact", "No bulk act yet."),
        ("inboxmessage", "A message from the broker that breaks its format is kept here"),
        ("delivery", "Nothing matches “Not sent”. Each event that an endpoint asks for"),
        ("worker", "A worker appears with its first claim"),
    ],
)
def test_an_empty_list_says_what_would_be_here(lead: Any, address: str, sentence: str) -> None:
    assert sentence in lead.open(f"/admin/jobs/{address}/").text
