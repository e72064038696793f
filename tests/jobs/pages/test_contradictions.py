"""Pages say one thing: the status, the share and the counts of a job are the same wherever they are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import operations, tracking
from jobs.console.moments import with_moments
from jobs.live import job_messages
from jobs.models import Job, Worker
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, make_job, phase_of, settle, take, tell
from tests.jobs.pages.test_job_page import address
from tests.ocr_chunks.factories import in_state

LISTS = ("/admin/jobs/job/?status=all", "/admin/")


def reworked(*, again: int = 0) -> Job:
    """Make a job that has completed with ten failed items, which are done again; so many have failed once more."""
    job = make_job(name="redone", items=30, done=20, failed=10, threshold=60)
    operations.retry(job, actor=None)
    taken = take(phase_of(job), 3)
    for place, item in enumerate(taken):
        tell(phase_of(job), item.key, "failed" if place < again else "completed")
    job.refresh_from_db()
    return job


def test_a_job_that_is_done_again_says_so_everywhere(lead: Any) -> None:
    job = reworked(again=1)
    assert (job.status, job.reworking) == ("completed", 7)
    for page in (lead.open(address(job)), *map(lead.open, LISTS)):
        assert "Completed, reworking 7" in page.text


def test_the_page_of_a_job_that_is_done_again_stays_live(lead: Any) -> None:
    page = lead.open(address(reworked()))
    assert [node for node in page.root.find("meta") if node.attributes.get("http-equiv") == "refresh"]
    assert "It has completed; 7 items are done again." in page.section("acts")


@pytest.mark.django_db
def test_a_job_whose_retried_items_are_settled_is_not_reworking() -> None:
    job = reworked(again=1)
    for item in take(phase_of(job), 7):
        tell(phase_of(job), item.key, "completed")
    job.refresh_from_db()
    assert (job.reworking, job.partial) == (0, True)


@pytest.mark.django_db
def test_its_socket_stays_open_until_nothing_is_open_or_leased() -> None:
    job = reworked()
    assert not job_messages.load([job.pk])[0].is_over
    for item in take(phase_of(job), 7):
        tell(phase_of(job), item.key, "failed")
    assert job_messages.load([job.pk])[0].is_over


@pytest.mark.django_db
def test_late_items_of_a_completed_job_are_not_rework() -> None:
    job = make_job(items=20, done=18, threshold=90, trigger="at_threshold")
    assert (job.status, job.reworking) == ("completed", 0)


def test_a_bulk_retry_counts_what_became_of_its_items(lead: Any) -> None:
    jobs = [make_job(items=12, done=8, failed=4, threshold=60) for _ in range(2)]
    query = "&".join(f"job={job.pk}" for job in jobs)
    asked = f"/admin/jobs/job/act/retry/?{query}"
    page = lead.confirm(asked)
    for item, status in zip(take(phase_of(jobs[0]), 3), ("completed", "completed", "failed"), strict=True):
        tell(phase_of(jobs[0]), item.key, status)
    bulk = lead.open("/admin/jobs/bulkact/").links()
    shown = lead.open(next(address for address in bulk.values() if "/bulk/" in address))
    assert page.response.status_code == 200
    assert "Since then 2 succeeded, 1 failed again, 5 open" in shown.section("outcome")


def test_a_forced_job_shows_its_true_share_who_did_it_and_what_is_left(lead: Any) -> None:
    job = make_job(name="forced", items=20, done=17)
    operations.force_complete(job, actor=lead.account, reason="The customer waits.")
    page = lead.open(address(job))
    assert page.root.find(cls="reached")[0].text == "85 %"
    last = page.section("last-act")
    assert last.startswith(f"Force-completed by {lead.account.username}")
    assert last.endswith("The customer waits. , 3 items left")
    assert page.links()["Force-completed"] == f"/admin/activity/?job={job.pk}"
    assert "85 %" in page.section("phases")
    assert "17 of 20" in lead.open("/admin/").section("finished")
    listed = lead.open(LISTS[0]).text
    assert "85 %" in listed
    assert "100 %" not in listed


@pytest.mark.parametrize("act", ["pause", "set_priority"])
def test_the_head_says_who_acted_last_and_why(lead: Any, act: str) -> None:
    job = make_job(items=3)
    arguments = {"priority": 5} if act == "set_priority" else {}
    getattr(operations, act)(job, actor=lead.account, reason="because", **arguments)
    last = lead.open(address(job)).section("last-act")
    assert f"by {lead.account.username}" in last
    assert "because" in last


def test_skipped_items_are_counted_apart_with_separators(lead: Any) -> None:
    job = make_job(name="counted", phases=[PhaseSpec(code="rows", expected=200_000, stage="Rows {done}/{expected}")])
    phase = phase_of(job)
    tracking.start(phase, by=WORKER)
    tracking.count(phase, done=127_361, skipped=2_580, event_id="00000000-0000-4000-8000-000000000001", by=WORKER)
    page = lead.open(address(job))
    assert "127,361 done 2,580 skipped 0 failed 70,059 open of 200,000" in page.section("head")
    assert "Rows 127,361/200,000" in page.section("head")
    assert "127,361 + 2,580 skipped" in page.section("phases")
    assert "127,361 + 2,580 skipped of 200,000" in lead.open("/admin/").section("running")
    assert "127,361 + 2,580 skipped / 200,000 / 200,000" in lead.open("/admin/jobs/job/").text


def test_a_filter_without_a_match_says_what_is_outside_it(lead: Any) -> None:
    make_job(items=2, done=1, failed=1, on_shortfall="fail")
    stuck = make_job(items=2, done=1)
    Job.objects.filter(pk=stuck.pk).update(stuck="silent", stuck_since=timezone.now())
    page = lead.open("/admin/?q=zzz")
    assert "No job matches “zzz”. 1 stuck, 1 failed outside this filter." in page.section("no-match")
    assert page.links()["Clear"] == "/admin/"
    assert "Nothing needs attention" not in page.text
    assert "No job matches" not in lead.open("/admin/?q=job").text


def test_the_whole_overview_follows_its_filter(lead: Any) -> None:
    for name in ("ours", "theirs"):
        tracking.heartbeat(make_job(name=name, items=3, done=1), worker="w1" if name == "ours" else "w2", by=WORKER)
    Worker.objects.filter(name="w1").update(job=Job.objects.get(name="ours"))
    assert "2 of 2 alive" in lead.open("/admin/").section("workers")
    page = lead.open("/admin/?q=ours")
    assert "1 of 1 alive" in page.section("workers")
    assert "Done 1" in page.section("throughput")


def test_a_search_looks_in_every_status(lead: Any) -> None:
    make_job(name="over and done", items=1, done=1)
    in_state(1, name="closed file.pdf", done=1)
    assert "over and done" in lead.open("/admin/jobs/job/?q=over and done").text
    assert "closed file.pdf" in lead.open("/admin/ocr_chunks/document/?q=closed file.pdf").text
    assert "over and done" not in lead.open("/admin/jobs/job/").text


def test_names_with_spaces_are_found_by_their_whole_name(lead: Any) -> None:
    make_job(name="Quarterly report 17", items=1)
    assert "1 phase" in lead.open("/admin/jobs/phase/?q=Quarterly report 17").text


def test_gone_workers_that_hold_items_come_first_and_are_freed_in_all_jobs(lead: Any) -> None:
    jobs = [make_job(items=4) for _ in range(2)]
    for job in jobs:
        tracking.claim(phase_of(job), worker="gone", limit=3, by=WORKER)
    tracking.heartbeat(jobs[0], worker="alive", by=WORKER)
    Worker.objects.filter(name="gone").update(seen_at=timezone.now() - timedelta(hours=1))
    page = lead.open("/admin/")
    assert page.section("workers").startswith("Workers Gone gone holds 6 items")
    assert "none is silent" not in page.section("workers")
    asked = page.links()["Free 6 items…"]
    assert "6 items in 2 jobs" in lead.open(asked).text
    assert lead.confirm(asked).messages == ["gone: 6 items freed in 2 jobs."]
    assert [phase_of(job).processing for job in jobs] == [0, 0]


def test_a_worker_is_not_freed_without_the_permission(browser: Any) -> None:
    job = make_job(items=2)
    tracking.claim(phase_of(job), worker="gone", limit=2, by=WORKER)
    worker = Worker.objects.get(name="gone")
    browser("viewer").open(f"/admin/jobs/worker/{worker.pk}/free/", status=403)
    assert phase_of(job).processing == 2


@pytest.mark.parametrize("app", ["jobs", "auth", "knox", "ocr_chunks", "training"])
def test_the_index_of_an_app_leads_to_the_overview(lead: Any, app: str) -> None:
    lead.account.is_superuser = True
    lead.account.save()
    page = lead.open(f"/admin/{app}/")
    assert page.response.redirect_chain == [("/admin/", 302)]


def test_an_unknown_app_is_not_found(lead: Any) -> None:
    assert lead.client.get("/admin/nothing/").status_code == 404


def test_a_sentence_has_times_that_the_browser_shows_in_its_zone() -> None:
    now = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    shown = with_moments("It ends at 01 Dec 09:10 UTC: “not at 10:00 UTC” <b>, at 13:34:51 UTC.", now=now)
    assert '<time datetime="2026-12-01T09:10:00+00:00"' in shown
    assert '<time datetime="2026-11-30T13:34:51+00:00"' in shown
    assert "“not at 10:00 UTC” &lt;b&gt;" in shown
    assert shown.count("<time") == 2
    assert '<time datetime="2026-11-21T18:00:05+00:00"' in with_moments("due 2026-11-21 18:00:05 UTC", now=now)
    assert with_moments("at 99:99:99 UTC", now=now) == "at 99:99:99 UTC"


def test_no_sentence_of_a_job_page_names_a_zone_of_its_own(lead: Any) -> None:
    job = make_job(items=5, done=1, expected=5)
    tracking.announce(phase_of(job), expected=5, by=WORKER)
    page = lead.open(address(job))
    bare = [node for node in page.root.walk() if node.tag not in ("time", "") and _own_text(node).endswith(" UTC")]
    assert bare == []


def _own_text(node: Any) -> str:
    return "".join(child for child in node.children if isinstance(child, str)).strip()


def test_an_act_of_another_day_has_its_time_in_the_zone_of_the_page(lead: Any) -> None:
    job = make_job(items=1)
    operations.set_due(job, due_at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC), actor=lead.account)
    for page in (lead.open("/admin/activity/"), lead.open(address(job))):
        assert [time.text for time in page.root.find("time", datetime="2027-01-02T03:04:05+00:00")], page.text


def test_settled_failures_of_a_finished_job_do_not_count_as_reached(lead: Any) -> None:
    job = make_job(items=10)
    settle(phase_of(job), ["completed"] * 9 + ["failed"])
    page = lead.open(address(job))
    assert page.root.find(cls="reached")[0].text == "90 %"
