"""Bulk acts on the pages: confirmation, messages, the page of a long one, the list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import operations
from jobs.console.acts import confirm_many
from jobs.models import BulkAct, BulkTarget, Item, Job, Membership
from jobs.operations import bulk, portions
from tests.factories import complete, item_of, make_job, phase_of
from tests.jobs.pages.test_confirming import facts
from tests.jobs.pages.test_overview import make_failed
from tests.plan import size

ACT = "/admin/jobs/job/act/"
TIMES = "\u00d7"
ALL = "match=jobs_job&query=status%3Dall"
MANY = size(2_999, full=19_999)


@pytest.fixture
def one_job_per_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each request stop after one job of a bulk act."""
    monkeypatch.setattr(confirm_many, "REQUEST_SECONDS", 0.0)


def paused_in_part(browser: Any, *, names: str = "abc", **fields: Any) -> Any:
    """Return the page of a bulk act with one finished job."""
    for name in names:
        make_job(name=name, items=1, **fields)
    return browser.confirm(f"{ACT}pause/?{ALL}", reason="backup")


# --- asking ------------------------------------------------------------------------------------------


def test_what_is_matched_is_said_with_counts_reasons_samples_and_the_limit(lead: Any) -> None:
    for n in range(12):
        make_failed(name=f"broken-{n}")
    make_job(name="fine", items=2)
    operations.cancel(make_job(name="gone", items=2), actor=None)
    page = lead.open(f"{ACT}retry/?{ALL}")
    said = facts(page)
    assert said["Selected"] == "all jobs"
    assert said["Found"] == "14 jobs"
    assert said["Now"] == "Failed 12 Cancelled 1 Pending 1"
    assert said["Would change"] == "36 items; 12 of 14 jobs; the others stay unchanged"
    assert f"1 {TIMES} There is no failed item to retry. fine" in said["Would be refused"]
    assert f"1 {TIMES} The job is cancelled; possible while it is" in said["Would be refused"]
    assert said["Limit"].startswith("5,000 jobs or 50,000 items at once.")
    assert said["Undo"].startswith("Not needed")
    assert "The first 12 and 2 more" in page.text
    assert [button.text for button in page.root.find("button", cls="do")] == ["Retry 12 jobs"]


def test_items_of_a_filter_are_counted_with_their_jobs(lead: Any) -> None:
    for name in "ab":
        make_job(name=name, items=5, failed=2)
    said = facts(lead.open(f"{ACT}retry/?match=jobs_item&query="))
    assert (said["Selected"], said["Found"]) == ("all items", "2 jobs, 10 items")
    assert said["Would change"] == "4 items; 2 of 2 jobs"


def test_the_page_costs_the_same_for_many_jobs_as_for_few(lead: Any, django_assert_max_num_queries: Any) -> None:
    def make(number: int) -> None:
        for _ in range(number):
            make_job(items=2, failed=1)

    make(20)
    lead.open(f"{ACT}retry/?{ALL}")
    with django_assert_max_num_queries(60):
        lead.open(f"{ACT}retry/?{ALL}")


@pytest.mark.parametrize(("slug", "typed"), [("cancel", True), ("force-complete", True), ("fail", False)])
def test_ending_several_jobs_needs_a_reason_and_for_the_gravest_their_number_typed(
    lead: Any, slug: str, typed: bool
) -> None:
    jobs = [make_job(items=2) for _ in range(2)]
    page = lead.open(f"{ACT}{slug}/?{ALL}")
    assert "Enter a reason." in lead.confirm(f"{ACT}{slug}/?{ALL}", page=page, name="2 jobs").text
    wrong = lead.confirm(f"{ACT}{slug}/?{ALL}", page=page, reason="r", name="3 jobs")
    assert ("Type 2 jobs exactly" in wrong.text) is typed
    lead.confirm(f"{ACT}{slug}/?{ALL}", page=page, reason="r", name="2 jobs")
    assert not Job.objects.filter(pk__in=[job.pk for job in jobs], status="pending").exists()


# --- what is confirmed is what is done ---------------------------------------------------------------


def test_a_job_that_matches_later_is_not_touched(lead: Any) -> None:
    for name in "ab":
        make_job(name=name, items=1)
    page = lead.open(f"{ACT}pause/?{ALL}")
    make_job(name="later", items=1)
    lead.confirm(f"{ACT}pause/?{ALL}", page=page)
    assert set(Job.objects.filter(status="paused").values_list("name", flat=True)) == {"a", "b"}


def test_an_item_that_matches_later_is_not_touched(lead: Any) -> None:
    job = make_job(items=4, failed=2)
    address = f"/admin/jobs/job/{job.pk}/retry/?match=items&status=failed"
    page = lead.open(address)
    assert facts(page)["Will be retried"] == "2 failed items: k0, k1"
    Item.objects.filter(key="k0").update(status="pending")
    phase_of(job).items.filter(key="k3").update(status="failed")
    result = lead.confirm(address, page=page)
    assert result.messages == [f"{job.name}: 1 retried, 1 refused: is pending; it cannot be retried."]
    assert item_of(job, "k3").status == "failed"


def test_a_changed_job_is_refused_and_the_others_are_done(lead: Any) -> None:
    a, b = make_job(name="a", items=2, failed=1), make_job(name="b", items=2, failed=1)
    page = lead.open(f"{ACT}retry/?{ALL}")
    operations.pause(b, actor=None)
    result = lead.confirm(f"{ACT}retry/?{ALL}", page=page)
    assert result.messages == [
        "1 item retried in 1 job, 1 refused. Show the result of each job",
        "1 refused: It has changed since you looked. b.",
    ]
    assert [phase_of(job).failed for job in (a, b)] == [0, 1]


def test_a_grave_act_is_asked_again_once_where_a_job_went_on(lead: Any) -> None:
    a, _ = make_job(name="a", items=5, done=1), make_job(name="b", items=5)
    address = f"{ACT}cancel/?{ALL}"
    page = lead.open(address)
    complete(phase_of(a), 1, start=1)
    again = lead.confirm(address, page=page, reason="wrong folder", name="2 jobs")
    assert "1 of these jobs changed since this page was loaded." in again.messages[0]
    assert "wrong folder" in again.source
    assert not Job.objects.filter(status="cancelled").exists()
    complete(phase_of(a), 1, start=2)
    done = lead.confirm(address, page=again, reason="wrong folder", name="2 jobs")
    assert done.messages == ["2 jobs cancelled. Show the result of each job"]


def test_filters_search_page_and_order_are_kept(lead: Any) -> None:
    make_failed(name="a-1")
    make_failed(name="a-2")
    place = "/admin/jobs/job/?status=failed&q=a-&o=2&p=1"
    asked = lead.client.post(place, {"action": "retry", "select_across": "1", "_selected_action": ["1"]})
    page = lead.confirm(asked.url)
    assert page.response.redirect_chain == [(place, 302)]
    assert BulkAct.objects.get().chosen == "jobs: status Failed, matching “a-”"


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_cannot_even_with_a_page_from_before(browser: Any, role: str) -> None:
    for name in "ab":
        make_job(name=name, items=1)
    account = browser(role)
    page = account.open(f"{ACT}cancel/?{ALL}")
    assert f"2 {TIMES} Needs the permission" in page.text
    assert not page.hidden()
    account.account.groups.clear()
    lead = browser("lead")
    seen = lead.open(f"{ACT}cancel/?{ALL}")
    lead.account.groups.set(browser(role).account.groups.all())
    refused = lead.confirm(f"{ACT}cancel/?{ALL}", page=seen, reason="r", name="2 jobs", status=403)
    assert "Needs the permission “Can cancel jobs”" in refused.text
    assert not BulkAct.objects.exists()


def test_jobs_that_are_no_longer_visible_are_not_changed(browser: Any) -> None:
    for name, project in (("a", "x"), ("b", "x"), ("c", "y")):
        make_job(name=name, items=1, project=project)
    lead = browser("lead")
    page = lead.open(f"{ACT}pause/?{ALL}")
    Membership.objects.create(user=lead.account, project="x")
    lead.confirm(f"{ACT}pause/?{ALL}", page=page)
    assert Job.objects.get(name="c").status == "pending"
    assert BulkAct.objects.get().total == 2


# --- the long way ------------------------------------------------------------------------------------


def test_what_takes_longer_leads_to_a_page_that_tells_how_far_it_is(lead: Any, one_job_per_request: None) -> None:
    page = paused_in_part(lead)
    act = BulkAct.objects.get()
    assert page.response.redirect_chain == [(f"/admin/bulk/{act.pk}/", 302)]
    bar = page.root.find("svg", role="progressbar")[0].attributes
    assert (bar["aria-valuenow"], bar["aria-valuetext"]) == ("33", "1 of 3 jobs, 0 refused")
    assert "1 of 3 jobs, 33 %" in page.section("progress")
    assert "backup" in page.text
    assert 'http-equiv="refresh"' in page.source
    assert "jobs/bulk.js" in page.source
    while bulk.run_bulk_acts(seconds=60):
        pass
    over = lead.open(f"/admin/bulk/{act.pk}/")
    assert "3 jobs paused." in over.section("progress")
    assert "Pending 3 0 Paused 0 3" in over.section("outcome")
    assert "jobs/bulk.js" not in over.source
    assert 'http-equiv="refresh"' not in over.source


def test_it_is_stopped_by_a_button_and_leads_back_to_the_list(lead: Any, one_job_per_request: None) -> None:
    paused_in_part(lead)
    act = BulkAct.objects.get()
    assert lead.client.get(f"/admin/bulk/{act.pk}/stop/").status_code == 405
    page = lead.confirm(f"/admin/bulk/{act.pk}/stop/", page=lead.open(f"/admin/bulk/{act.pk}/"))
    assert page.messages == ["Stopped: 2 jobs not changed."]
    assert "1 job paused, 2 not done." in page.text
    assert not page.root.find("form", data_stop="")
    assert Job.objects.filter(status="paused").count() == 1
    late = lead.confirm(f"/admin/bulk/{act.pk}/stop/", page=page)
    assert late.messages == ["This bulk act is over; it can be stopped only while it runs."]


def test_a_large_act_on_one_job_shows_its_items_and_is_stopped_among_them(
    lead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "LARGE", 5)
    monkeypatch.setattr(portions, "PORTION", 2)
    job = make_job(items=8, done=8)
    operations.restart(job, phase="items", actor=None)
    act = BulkAct.objects.get()
    bulk.run_bulk_act(act, seconds=0)
    page = lead.open(f"/admin/bulk/{act.pk}/")
    assert "2 of 8 items, 25 %" in page.section("progress")
    assert "leave the other items unchanged" in page.text
    assert f"bulk act {act.pk} moves its items in portions" in lead.open(f"/admin/jobs/job/{job.pk}/").text
    stopped = lead.confirm(f"/admin/bulk/{act.pk}/stop/", page=page)
    assert stopped.messages == ["Stopped: 6 items not changed."]
    assert "2 of 8 items, 25 %" in stopped.section("progress")


def test_stopping_needs_the_permission_of_the_act(lead: Any, browser: Any, one_job_per_request: None) -> None:
    paused_in_part(lead)
    viewer, act = browser("viewer"), BulkAct.objects.get()
    page = viewer.open(f"/admin/bulk/{act.pk}/")
    assert "jobs.pause_job" in page.text
    refused = viewer.confirm(f"/admin/bulk/{act.pk}/stop/", page=page, status=403)
    assert "needs the permission jobs.pause_job" in refused.text
    act.refresh_from_db()
    assert act.is_running


def test_refused_jobs_are_named_by_reason_and_linked(lead: Any) -> None:
    over, runs = make_job(name="<b>over", items=1, done=1), make_job(name="runs", items=1)
    lead.confirm(f"{ACT}pause/?job={over.pk}&job={runs.pk}")
    page = lead.open(BulkAct.objects.get().get_absolute_url())
    assert f"1 {TIMES} The job is completed; pause is possible while it is pending or processing." in page.section(
        "outcome"
    )
    assert page.links()["<b>over"] == f"/admin/jobs/job/{over.pk}/"
    assert "<b>over" not in page.source


def test_an_act_that_no_process_works_on_says_so(lead: Any, one_job_per_request: None) -> None:
    paused_in_part(lead)
    BulkAct.objects.update(worked_at=timezone.now() - timedelta(minutes=2))
    assert "No process has worked on it since" in lead.open(BulkAct.objects.get().get_absolute_url()).text


def test_a_limited_account_sees_its_own_acts_and_of_them_its_jobs(browser: Any, one_job_per_request: None) -> None:
    limited, other = browser("lead", projects=["x"]), browser("lead", projects=["x"])
    paused_in_part(limited, project="x")
    place = BulkAct.objects.get().get_absolute_url()
    assert "a" in limited.open("/admin/jobs/bulkact/").text
    assert "Pause 3 jobs" in limited.open("/admin/jobs/bulkact/").text
    assert "Pause 3 jobs" not in other.open("/admin/jobs/bulkact/").text
    other.open(place, status=404)
    Job.objects.filter(name="c").update(project="y")
    assert "Status Before So far Pending 2 2" in limited.open(place).section("outcome")


def test_without_the_permission_to_see_them_there_are_none(browser: Any) -> None:
    without = browser("")
    assert "jobs.view_bulkact" in without.open("/admin/bulk/1/", status=403).text
    browser("viewer").open("/admin/bulk/1/", status=404)


def test_the_list_tells_what_was_done_and_is_a_file_too(lead: Any) -> None:
    for name in "ab":
        make_job(name=name, items=1)
    lead.confirm(f"{ACT}pause/?{ALL}", reason="backup")
    page = lead.open("/admin/jobs/bulkact/?status=finished&act=pause")
    assert "2 jobs paused." in page.text
    assert page.links()["Pause 2 jobs"] == BulkAct.objects.get().get_absolute_url()
    assert page.links()["CSV"].startswith("export.csv?")
    change = lead.open(f"/admin/jobs/bulkact/{BulkAct.objects.get().pk}/change/")
    assert change.response.redirect_chain[-1][0] == BulkAct.objects.get().get_absolute_url()


def test_a_thousand_jobs_are_confirmed_in_one_form(lead: Any) -> None:
    job = make_job(items=1)
    Job.objects.bulk_create(_copies(job, 999))
    page = lead.open(f"{ACT}pause/?{ALL}")
    assert facts(page)["Found"] == "1,000 jobs"
    assert len(page.hidden()) < 10
    done = lead.confirm(f"{ACT}pause/?{ALL}", page=page)
    assert BulkTarget.objects.count() == 1000
    assert done.response.status_code == 200


def _copies(job: Job, number: int) -> list[Job]:
    names = ["kind", "status", "created_at", "updated_at", "watched_from"]
    return [Job(name=f"copy-{n}", **{name: getattr(job, name) for name in names}) for n in range(number)]


@pytest.mark.full
def test_very_many_items_go_with_the_page_and_come_back(lead: Any) -> None:
    job = make_job(items=1)
    phase = phase_of(job)
    rows = [Item(phase=phase, key=f"x{n}", key_digest=f"{n:032x}", status="failed") for n in range(MANY)]
    Item.objects.bulk_create(rows, batch_size=1000)
    phase.failed = phase.items_total = MANY
    phase.save()
    address = f"/admin/jobs/job/{job.pk}/retry/?match=items&status=failed"
    page = lead.open(address)
    assert len(page.hidden()["shown"]) < 100_000
    assert lead.confirm(address, page=page).messages == [f"{job.name}: {MANY:,} retried."]
