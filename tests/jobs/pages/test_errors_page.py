"""The page of errors: what fails in all jobs, grouped, and the act upon a group."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations
from jobs.console.errors import views
from jobs.models import Item
from jobs.serializers import failures
from tests.factories import make_job
from tests.jobs.api.test_all_errors import fail

ERRORS = "/admin/errors/"
COSTS = 15


def shown(page: Any) -> str:
    """The text of the groups."""
    text: str = page.section("errors")
    return text


def failed() -> dict[str, int]:
    """Return the number of failed items per error."""
    rows: dict[str, int] = {}
    for error in Item.objects.failed().values_list("error", flat=True):
        rows[error] = rows.get(error, 0) + 1
    return rows


def test_a_group_says_how_often_what_is_in_common_since_when_whom_and_where(lead: Any) -> None:
    one, other = fail(["no /in/1.png", "no /in/2.png"], worker="w7"), fail(["no /in/3.png"], worker="w8")
    page = lead.open(ERRORS)
    assert page.links()["Errors"] == ERRORS
    said = shown(page)
    assert said.startswith("3 items have failed in the last 24 hours. Errors that differ only in")
    assert "3\u00d7 no /in/3.png pattern: no … first" in said
    assert f"w7, w8 in 2 jobs: {one.name} (2), {other.name} (1)" in said
    assert page.links()[one.name] == f"/admin/jobs/job/{one.pk}/?phase=items&signature=no+%E2%80%A6#items"


def test_the_link_of_a_job_shows_exactly_those_items(lead: Any) -> None:
    job, _ = fail(["no /in/1.png", "no /in/2.png"]), fail(["disk full"])
    page = lead.open(lead.open(ERRORS).links()[job.name])
    assert len(page.root.find("input", name="item")) == 2


def test_exactly_this_group_is_retried_in_the_jobs_of_the_filter(lead: Any) -> None:
    one = fail(["no /in/1.png", "disk full"], project="alpha")
    other = fail(["no /in/2.png"], project="alpha")
    fail(["no /in/3.png"], project="beta")
    fail(["disk is slow"], project="alpha", name="of-another-error")
    address = f"{ERRORS}?project=alpha"
    asked = lead.open(address).links()["Retry these 2 in 2 jobs…"]
    page = lead.open(asked)
    assert one.name in page.text
    assert other.name in page.text
    assert "of-another-error" not in page.text
    page = lead.confirm(asked)
    assert page.response.redirect_chain[-1][0] == address
    assert failed() == {"disk full": 1, "disk is slow": 1, "no /in/3.png": 1}


def test_failures_before_the_length_of_time_are_neither_counted_nor_retried(lead: Any) -> None:
    fail(["x", "x", "x"])
    old = Item.objects.failed().order_by("pk")[:2]
    Item.objects.filter(pk__in=[item.pk for item in old]).update(finished_at=timezone.now() - timedelta(hours=30))
    page = lead.open(ERRORS)
    assert "1 item has failed in the last 24 hours." in shown(page)
    lead.confirm(page.links()["Retry this one…"])
    assert failed() == {"x": 2}
    assert "2 items have failed. Errors" in shown(lead.open(f"{ERRORS}?since=all"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "a b"),
        ("?order=newest", "b a"),
        ("?kind=ocr", ""),
        ("?status=cancelled", "b"),
        ("?q=MATTER", "b"),
        ("?since=1h", "a b"),
        ("?since=never&kind=no-such&status=x&order=y", "a b"),
    ],
)
def test_filters_and_order(lead: Any, query: str, found: str) -> None:
    fail(["a", "a"])
    operations.cancel(fail(["b"], name="matter-1"), actor=None)
    page = lead.open(ERRORS + query)
    assert " ".join(bold.text for bold in page.root.find("section")[0].find("b")) == found


def test_the_filter_and_the_order_are_kept_by_each_other_and_in_the_files(lead: Any) -> None:
    fail(["a"], project="alpha")
    page = lead.open(f"{ERRORS}?project=alpha&since=7d&order=newest")
    links = page.links()
    assert links["Most frequent first"] == "?project=alpha&since=7d"
    assert links["CSV"] == "/admin/errors/export.csv?project=alpha&since=7d&order=newest"
    [order] = page.root.find("input", name="order")
    assert order.attributes["value"] == "newest"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "No item has failed in the last 24 hours. Show all time"),
        ("?since=all", "No item has failed."),
        ("?since=1h&project=alpha", "No item of these jobs has failed in the last hour. Show all time"),
    ],
)
def test_without_failures_it_says_so(lead: Any, query: str, sentence: str) -> None:
    make_job(items=1, done=1)
    assert shown(lead.open(ERRORS + query)) == sentence


def test_of_very_many_failures_the_newest_are_looked_at_and_it_is_said(lead: Any, monkeypatch: Any) -> None:
    fail(["a", "b", "c"])
    monkeypatch.setattr(failures, "MOST_LOOKED_AT", 2)
    assert "Only the newest 2 failures are included." in shown(lead.open(ERRORS))


def test_of_many_errors_the_first_are_shown_and_it_is_said(lead: Any, monkeypatch: Any) -> None:
    fail(["a", "b", "c"])
    monkeypatch.setattr(views, "GROUPS_LISTED", 2)
    page = lead.open(ERRORS)
    assert len(page.root.find("li", data_row="")) == 2
    assert "Only the first 2 errors are shown" in shown(page)


def test_more_workers_and_jobs_than_are_named_are_counted(lead: Any) -> None:
    for number in range(6):
        fail(["x"], worker=f"w{number}")
    said = shown(lead.open(ERRORS))
    assert "w0, w1, w2, w3, w4 and 1 more in 6 jobs:" in said
    assert said.count("(1)") == 4
    assert "and 2 more Retry these 6 in 6 jobs…" in said


def test_who_may_not_retry_sees_the_button_off_with_the_reason(browser: Any) -> None:
    fail(["x"])
    [button] = browser("viewer").open(ERRORS).root.find("span", cls="off")
    assert button.attributes["title"].startswith("Needs the permission “Can retry failed items”.")


def test_an_account_sees_and_retries_only_in_its_projects(browser: Any) -> None:
    fail(["x"], project="alpha")
    fail(["x"], project="beta")
    operator = browser("operator", projects=["alpha"])
    page = operator.open(f"{ERRORS}?project=")
    assert "1\u00d7 x" in shown(page)
    operator.confirm(page.links()["Retry this one…"])
    assert list(Item.objects.failed().values_list("phase__job__project", flat=True)) == ["beta"]


def test_an_account_that_may_not_see_jobs_is_told_so(browser: Any) -> None:
    assert "jobs.view_job" in browser("").open(ERRORS, status=403).text
    assert browser("").client.get(f"{ERRORS}export.csv").status_code == 403


def test_what_workers_write_is_text(lead: Any) -> None:
    evil = '<script>alert("x")</script><b>'
    fail([f"{evil}1", f"{evil}2"], worker=evil, name=evil, project=evil)
    source = lead.open(f"{ERRORS}?project={quote(evil)}&q={quote(evil)}").source
    assert "<script>alert" not in source
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in source


def test_the_groups_are_files_within_the_filter(lead: Any) -> None:
    one = fail(["no /in/1.png", "no /in/2.png"], project="alpha", worker="w7")
    fail(["=1+1"], project="alpha")
    fail(["other"], project="beta")
    written = lead.client.get(f"{ERRORS}export.csv?project=alpha").content.decode()
    rows = list(csv.DictReader(StringIO(written.removeprefix("\ufeff"), newline="")))
    assert [(row["signature"], row["count"], row["job_count"]) for row in rows] == [
        ("no …", "2", "1"),
        ("'=#+#", "1", "1"),
    ]
    assert rows[0]["workers"] == '["w7"]'
    assert f'"name":"{one.name}"' in rows[0]["jobs"].replace(" ", "")
    assert rows[1]["sample"] == "'=1+1"
    assert '"signature":"other"' in lead.client.get(f"{ERRORS}export.json?project=beta").content.decode()
    assert lead.client.get(f"{ERRORS}export.json?project=no").json() == []
    assert lead.client.post(f"{ERRORS}export.csv").status_code == 405


@pytest.mark.parametrize("number", [1, 15])
def test_it_costs_the_same_for_one_group_and_for_many(lead: Any, number: int) -> None:
    for place in range(number):
        fail([f"{'x' * place}y"] * 2, worker=f"w{place}")
    with CaptureQueriesContext(connection) as asked:
        lead.open(ERRORS)
    assert len(asked) == COSTS
