"""The selection of an act: selected rows, or everything that a list matches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory

from jobs.console.acts import selection
from jobs.console.acts.selection import ListMatch, source
from jobs.models import Item, Job
from tests.factories import item_of, make_job, phase_of, settle
from tests.jobs.pages.test_overview import make_failed

JOBS = "/admin/jobs/job/"
ITEMS = "/admin/jobs/item/"


def chosen_by(account: Any, query: dict[str, Any], *, job_id: int | None = None) -> Any:
    """Return the selection of this address."""
    request = RequestFactory().get("/", query)
    request.user = account
    return selection.selected(request, admin.site, Job.objects.visible_to(account), job_id=job_id)


def names(found: Any) -> list[str]:
    """The names of the chosen jobs."""
    return [job.name for job in found.jobs]


def test_all_that_a_list_of_jobs_matches_is_chosen_with_its_search_and_filters(lead: Any) -> None:
    for name in ("wanted-1", "wanted-2", "other"):
        make_failed(name=name)
    make_job(name="wanted-running", items=2)
    found = chosen_by(lead.account, {"match": "jobs_job", "query": "status=failed&q=wanted&p=7&o=2"})
    assert names(found) == ["wanted-2", "wanted-1"]
    assert found.words == "jobs: status Failed, matching “wanted”"
    assert found.items is None


def test_the_default_filter_is_part_of_the_sentence(lead: Any) -> None:
    make_job(items=1)
    assert chosen_by(lead.account, {"match": "jobs_job", "query": ""}).words == "jobs: status Not finished"
    assert chosen_by(lead.account, {"match": "jobs_job", "query": "status=all"}).words == "all jobs"


def test_all_items_that_a_list_matches_go_to_their_own_jobs(lead: Any) -> None:
    jobs = [make_job(items=3, failed=n) for n in (1, 2)]
    found = chosen_by(lead.account, {"match": "jobs_item", "query": "status__exact=failed"})
    assert found.words == "items: status Failed"
    assert found.items == {
        jobs[0].pk: (item_of(jobs[0], "k0").pk,),
        jobs[1].pk: (item_of(jobs[1], "k0").pk, item_of(jobs[1], "k1").pk),
    }


@pytest.mark.parametrize(
    ("query", "keys", "words"),
    [
        ({}, ["k0", "k1", "k2", "k3"], "all items"),
        ({"status": "failed"}, ["k0", "k1"], "items: status Failed"),
        ({"q": "k3"}, ["k3"], "items: matching “k3”"),
        ({"signature": "timeout 7"}, ["k0"], "items: error “timeout 7”"),
        ({"phase": "items", "status": "pending"}, ["k2", "k3"], "items: phase items, status Pending"),
        ({"worker": "w1", "status": "nonsense"}, ["k0", "k1"], "items: worker w1"),
        ({"split": "train"}, [], "items: split train"),
    ],
)
def test_the_items_of_one_job_are_chosen_by_the_filters_of_its_page(
    lead: Any, query: dict[str, str], keys: list[str], words: str
) -> None:
    job, _ = make_job(items=4), make_job(items=4, failed=4)
    settle(phase_of(job), ["failed", "failed"])
    job.phases.get().items.filter(key="k0").update(error="timeout 7", signature="timeout #")
    found = chosen_by(lead.account, {"match": "items", **query}, job_id=job.pk)
    assert list(found.of(job)) == [item_of(job, key).pk for key in keys]
    assert found.words == words


def test_a_match_never_reaches_beyond_the_projects_of_the_account(browser: Any) -> None:
    make_failed(name="seen", project="a")
    hidden = make_failed(name="hidden", project="b")
    limited = browser("lead", projects=["a"])
    assert names(chosen_by(limited.account, {"match": "jobs_job", "query": "status=all"})) == ["seen"]
    assert names(chosen_by(limited.account, {"match": "jobs_item", "query": ""})) == ["seen"]
    assert chosen_by(limited.account, {"match": "items"}, job_id=hidden.pk) is None


def test_a_job_out_of_sight_is_not_there_however_many_items_match(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MOST_ITEMS", 1)
    hidden = make_job(items=5, project="b")
    browser("lead", projects=["a"]).open(f"{JOBS}{hidden.pk}/retry/?match=items", status=404)


def retry_button(lead: Any) -> str:
    """Return the address of the button of the first group of errors."""
    links = lead.open("/admin/errors/").links()
    return next(address for label, address in links.items() if label.startswith("Retry these"))


@pytest.mark.parametrize("limits", [{"MOST_JOBS": 2}, {"MOST_ITEMS": 4}])
def test_of_more_than_one_confirmation_takes_the_newest_jobs_are_taken_and_the_page_says_so(
    lead: Any, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    for name, most in limits.items():
        monkeypatch.setattr(selection, name, most)
    for n in range(3):
        make_job(name=f"job-{n}", items=4, failed=2)
    button = next(
        link for label, link in lead.open("/admin/errors/").links().items() if label.startswith("Retry these")
    )
    asked = lead.open(button)
    assert "More match than one confirmation can include: these are 4 of 6 items" in asked.text
    confirmed = lead.confirm(button, page=asked)
    assert confirmed.messages[0].startswith("4 items retried in 2 jobs")
    assert Job.objects.get(name="job-0").phases.get().failed == 2
    lead.confirm(button)
    assert not Item.objects.failed().exists()


def test_of_more_ticked_rows_than_one_confirmation_takes_the_first_are_taken(
    lead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MOST_JOBS", 2)
    ids = [make_job(items=2).pk for _ in range(3)]
    page = lead.open(f"{JOBS}act/pause/?{urlencode({'job': ids}, doseq=True)}")
    assert "Only the first 2 selected jobs are included" in page.text
    assert page.hidden()


def test_more_items_than_one_statement_has_parameters_are_counted_and_retried(lead: Any) -> None:
    for n in range(2):
        make_job(name=f"job-{n}", items=100, failed=60)
    button = next(
        link for label, link in lead.open("/admin/errors/").links().items() if label.startswith("Retry these")
    )
    with few_parameters():
        assert "120 items" in lead.open(button).text
        assert lead.confirm(button).messages[0].startswith("120 items retried in 2 jobs")
    assert not Item.objects.failed().exists()


@contextmanager
def few_parameters() -> Iterator[None]:
    """Let a statement have 100 parameters at most, where the database has such a limit."""
    if connection.vendor != "sqlite":
        yield
        return
    limited = connection.connection
    before = limited.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100)
    try:
        yield
    finally:
        limited.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


@pytest.mark.parametrize(
    "query",
    [
        "match=nonsense&query=",
        "match=jobs_event&query=",
        "match=auth_user&query=",
        "match=jobs_job&query=nonsense__x%3D1",
        "match=",
        "",
    ],
)
def test_an_address_that_makes_no_sense_chooses_nothing(lead: Any, query: str) -> None:
    make_job(items=1)
    lead.open(f"{JOBS}act/retry/?{query}", status=404)


def test_a_page_can_choose_in_its_own_way(lead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SOURCES", dict(selection.SOURCES))
    make_failed(name="mine")
    make_failed(name="other")

    @source("own")
    def find(request: Any, site: Any, query: Any) -> ListMatch:
        return ListMatch(f"jobs called {query['called']}", Job.objects.filter(name=query["called"]))

    found = chosen_by(lead.account, {"match": "own", "called": "mine", "back": "/admin/"})
    assert (names(found), found.words) == (["mine"], "jobs called mine")


def test_what_a_page_chooses_is_cut_down_to_what_the_account_sees(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "SOURCES", dict(selection.SOURCES))
    seen, hidden = make_job(name="seen", items=1, project="a"), make_job(name="hidden", items=1, project="b")
    source("all")(lambda request, site, query: ListMatch("all", Job.objects.all()))
    source("all items")(lambda request, site, query: ListMatch("all", Item.objects.all(), "phase__job_id", "pk"))
    limited = browser("lead", projects=["a"]).account
    for match in ("all", "all items"):
        assert names(chosen_by(limited, {"match": match})) == ["seen"]
    assert hidden.pk not in chosen_by(limited, {"match": "all items"}).items
    assert seen.pk in chosen_by(limited, {"match": "all items"}).items


@pytest.mark.parametrize(("place", "match"), [(JOBS, "jobs_job"), (ITEMS, "jobs_item")])
def test_select_all_that_match_leads_to_the_act_on_the_filter(lead: Any, place: str, match: str) -> None:
    job = make_failed()
    row = job.pk if place == JOBS else item_of(job, "k14").pk
    data = {"action": "retry", "select_across": "1", "_selected_action": [row]}
    answer = lead.client.post(f"{place}?q=k14" if place == ITEMS else f"{place}?status=failed&o=2&p=1", data)
    assert f"match={match}" in answer.url
    assert "_selected" not in answer.url
    page = lead.confirm(answer.url)
    assert page.response.redirect_chain[-1][0].startswith(place)
    assert not Job.objects.filter(status="failed").exists()


def test_without_scripts_a_box_stands_for_all_that_match(lead: Any) -> None:
    for _ in range(51):
        make_job(items=1)
    page = lead.open(JOBS)
    [box] = [node for node in page.root.find("noscript") for node in node.find("input", name="select_across")]
    assert box.attributes["value"] == "1"
    data = {"action": "pause", "select_across": ["0", "1"], "_selected_action": [Job.objects.first().pk]}
    assert "match=jobs_job" in lead.client.post(JOBS, data).url
