"""The lists of the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from jobs import operations, tracking
from jobs.models import Event, Item, Job, Membership, Phase, Worker
from tests.factories import WORKER, item_of, make_job, phase_of
from tests.jobs.pages.test_overview import make_failed, make_stuck

JOBS = "/admin/jobs/job/"
LISTS = ["job", "phase", "item", "event", "worker"]


def listed(page: Any) -> list[str]:
    """The names in the list of jobs."""
    return [th.text for row in page.root.find("tr") for th in row.find(cls="field-link")]


# --- jobs ----------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_not_finished_unless_asked_otherwise(lead: Any) -> None:
    make_job(name="runs", items=3, done=1)
    make_job(name="over", items=1, done=1)
    assert listed(lead.open(JOBS)) == ["runs"]
    assert listed(lead.open(f"{JOBS}?status=completed")) == ["over"]
    assert sorted(listed(lead.open(f"{JOBS}?status=all"))) == ["over", "runs"]


def test_filters_find_stuck_partial_kind_and_lately_finished_jobs(lead: Any) -> None:
    make_stuck(name="stuck")
    make_job(name="partial", items=2, done=1, failed=1)
    make_job(name="vision", kind="vision", phases=(), asset_types=["image"])
    make_job(name="old", items=1, done=1)
    Job.objects.filter(name="old").update(finished_at=timezone.now() - timedelta(days=2))
    assert listed(lead.open(f"{JOBS}?stuck=yes")) == ["stuck"]
    assert listed(lead.open(f"{JOBS}?partial=yes")) == ["partial"]
    assert listed(lead.open(f"{JOBS}?kind=vision")) == ["vision"]
    assert listed(lead.open(f"{JOBS}?status=completed&finished=24h")) == ["partial"]
    assert sorted(listed(lead.open(f"{JOBS}?finished=7d"))) == ["old", "partial"]
    assert listed(lead.open(f"{JOBS}?q=stu")) == ["stuck"]


def test_a_row_shows_state_link_bar_and_done_needed_expected(lead: Any) -> None:
    job = make_job(name="runs", items=120, done=44, failed=3, threshold=90, project="matter-1")
    page = lead.open(JOBS)
    assert page.links()["runs"] == f"/admin/jobs/job/{job.pk}/"
    assert "44 / 108 / 120" in page.text
    assert "matter-1" in page.text
    bar = page.root.find("svg", role="progressbar")[0]
    assert bar.attributes["aria-valuetext"] == "36 % done, 3 % failed"
    assert page.root.find(cls="pill")[0].text == "Running"


def test_the_form_of_a_job_is_its_page(lead: Any) -> None:
    job = make_job(name="runs", items=1)
    page = lead.open(f"{JOBS}{job.pk}/change/")
    assert page.response.redirect_chain[-1] == (f"/admin/jobs/job/{job.pk}/", 302)


def test_an_act_on_ticked_jobs_is_asked_first_and_leads_back(lead: Any) -> None:
    jobs = [make_failed(name=name) for name in ("a", "b")]
    data = {"action": "retry", "_selected_action": [job.pk for job in jobs]}
    response = lead.client.post(f"{JOBS}?status=failed", data)
    assert response.status_code == 302
    assert "/admin/jobs/job/act/retry/" in response.url
    page = lead.confirm(response.url)
    assert page.response.redirect_chain == [(f"{JOBS}?status=failed", 302)]
    assert page.messages == ["6 items retried in 2 jobs. Show the result of each job"]


def test_the_bar_holds_only_what_the_account_may_do(browser: Any) -> None:
    make_job(items=1)

    def acts(role: str) -> set[str]:
        buttons = browser(role).open(JOBS).root.find("button", name="action")
        return {button.attributes["value"] for button in buttons} - {"compare"}

    assert acts("viewer") == set()
    harmless = {"retry", "release", "lift", "pause", "resume", "set_retries", "set_due", "set_priority", "set_limit"}
    assert acts("operator") == harmless
    lead_only = {"force_complete", "fail", "cancel", "delete", "set_threshold", "restart"}
    assert acts("lead") == harmless | lead_only


def test_ticked_items_are_retried_through_the_same_page(lead: Any) -> None:
    job = make_job(items=4, failed=2)
    data = {"action": "retry", "_selected_action": [item_of(job, "k0").pk]}
    response = lead.client.post("/admin/jobs/item/", data)
    page = lead.confirm(response.url)
    assert page.messages == [f"{job.name}: 1 retried."]
    assert phase_of(job).failed == 1


# --- all lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LISTS)
def test_what_workers_own_is_only_read(lead: Any, model: str) -> None:
    job = make_job(items=2, done=1)
    tracking.heartbeat(job, worker="w1", by=WORKER)
    rows = {"job": Job, "phase": Phase, "item": Item, "event": Event, "worker": Worker}
    pk = rows[model].objects.all()[0].pk
    assert lead.client.get(f"/admin/jobs/{model}/add/").status_code == 403
    # A job is deleted by the act, which shows its confirmation first.
    refused = 200 if model == "job" else 403
    assert lead.client.post(f"/admin/jobs/{model}/{pk}/delete/", {"post": "yes"}).status_code == refused
    assert rows[model].objects.filter(pk=pk).exists()
    if model not in ("job", "item", "worker"):  # which have pages of their own instead of forms
        assert lead.client.post(f"/admin/jobs/{model}/{pk}/change/", {}).status_code == 403
        assert lead.open(f"/admin/jobs/{model}/{pk}/change/").messages == []


@pytest.mark.parametrize("model", LISTS)
def test_a_limited_account_sees_only_rows_of_its_projects(browser: Any, model: str) -> None:
    for project in ("a", "b"):
        job = make_job(name=f"job-of-{project}", items=2, done=1, project=project)
        tracking.heartbeat(job, worker=f"w-{project}", by=WORKER)
    page = browser("viewer", projects=["a"]).open(f"/admin/jobs/{model}/")
    assert "job-of-a" in page.text
    assert "job-of-b" not in page.text


@pytest.mark.parametrize("model", LISTS)
def test_without_the_permission_a_list_is_refused(browser: Any, model: str) -> None:
    assert browser("").client.get(f"/admin/jobs/{model}/").status_code == 403


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("many", [2, 30])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, model: str, many: int
) -> None:
    for _ in range(many):
        tracking.heartbeat(make_job(items=2, done=1, failed=1), worker=f"w{many}", by=WORKER)
    lead.open(f"/admin/jobs/{model}/?status=all" if model == "job" else f"/admin/jobs/{model}/")
    with django_assert_max_num_queries(11):
        lead.open(f"/admin/jobs/{model}/?status=all" if model == "job" else f"/admin/jobs/{model}/")


def test_lists_filter_without_asking_which_values_there_are(lead: Any) -> None:
    make_job(items=3, done=1)
    with CaptureQueriesContext(connection) as queries:
        lead.open(JOBS)
        lead.open("/admin/jobs/item/?status__exact=failed")
    assert not [query for query in queries.captured_queries if "DISTINCT" in query["sql"]]


def test_an_item_is_found_by_its_whole_key(lead: Any) -> None:
    make_job(name="j", items=20)
    page = lead.open("/admin/jobs/item/?q=k7")
    assert [row.text for row in page.root.find(cls="field-name")] == ["k7"]


@pytest.mark.parametrize(
    "query", ["?project=%00", "?q=%00", "?status=%00", "?kind=x", "?status=nonsense", "?p=x", "?e=1"]
)
def test_an_address_that_makes_no_sense_still_shows_the_list(lead: Any, query: str) -> None:
    make_job(name="there", items=1)
    assert lead.open(f"{JOBS}{query}").root.find(id="changelist")


def test_workers_are_alive_silent_or_gone(lead: Any) -> None:
    job = make_job(items=1)
    for name, seconds in (("fresh", 5), ("quiet", 100), ("old", 4000)):
        tracking.heartbeat(job, worker=name, by=WORKER)
        Worker.objects.filter(name=name).update(seen_at=timezone.now() - timedelta(seconds=seconds))
    page = lead.open("/admin/jobs/worker/")
    assert [pill.text for pill in page.root.find(cls="pill")] == ["Silent", "Alive", "Gone"]


def test_the_history_of_a_job_shows_the_acts(lead: Any) -> None:
    job = make_job(name="j", items=2)
    operations.pause(job, actor=lead.account, reason="customer asked")
    assert "customer asked" in lead.open(f"{JOBS}{job.pk}/history/").text


# --- tokens --------------------------------------------------------------------------------------------

ISSUE = "/admin/tokens/issue/"
TOKENS = "/admin/knox/authtoken/"


def test_a_token_is_issued_and_its_secret_shown_once(lead: Any) -> None:
    page = lead.confirm(ISSUE, account="ocr-1", role="worker", projects="matter-1, matter-2", days="30")
    secret = page.root.find(id="secret")[0].text
    answer = lead.client.__class__().get("/api/v1/jobs", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert sorted(Membership.objects.values_list("project", flat=True)) == ["matter-1", "matter-2"]
    assert "no-store" in page.response.headers["Cache-Control"]
    listing = lead.open(TOKENS)
    assert "ocr-1" in listing.text
    assert secret not in listing.source


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_tokens_are_for_those_who_manage_them(browser: Any, role: str) -> None:
    staff = browser(role)
    assert "jobs.manage_tokens" in staff.open(ISSUE, status=403).text
    assert staff.client.get(TOKENS).status_code == 403
    assert "Tokens" not in staff.open("/admin/").links()


def test_nobody_issues_more_than_they_may(browser: Any) -> None:
    limited = browser("lead", projects=["a"])
    assert "Name projects that you see yourself: a." in limited.confirm(ISSUE, account="x", role="worker").text
    refused = limited.confirm(ISSUE, account="x", role="worker", projects="a, b")
    assert "Name projects that you see yourself: a." in refused.text
    assert not AuthToken.objects.exists()
    assert limited.confirm(ISSUE, account="x", role="worker", projects="a").root.find(id="secret")


def test_a_limited_account_sees_no_token_of_other_projects(browser: Any) -> None:
    everywhere = browser("lead")
    everywhere.confirm(ISSUE, account="of-a", role="worker", projects="a")
    everywhere.confirm(ISSUE, account="of-both", role="worker", projects="a, b")
    everywhere.confirm(ISSUE, account="of-all", role="worker")
    page = browser("lead", projects=["a"]).open(TOKENS)
    assert "of-a" in page.text
    assert "of-both" not in page.text
    assert "of-all" not in page.text


def test_a_staff_account_gets_no_token(lead: Any) -> None:
    page = lead.confirm(ISSUE, account=lead.account.username, role="worker")
    assert "is a staff account" in page.text
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize(
    "answers",
    [{"account": ""}, {"days": "0"}, {"days": "x"}, {"role": "king"}, {"projects": "p" * 129}, {"account": "a" * 151}],
)
def test_a_token_form_names_what_is_wrong(lead: Any, answers: dict[str, str]) -> None:
    page = lead.confirm(ISSUE, **{"account": "x", "role": "worker", **answers})
    assert page.root.find(cls="wrong")
    assert not AuthToken.objects.exists()
