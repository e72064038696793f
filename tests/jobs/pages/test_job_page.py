"""The page of one job."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations, tracking
from jobs.models import Job
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, make_job, phase_of, settle
from tests.jobs.pages.test_overview import make_failed
from tests.jobs.rules.conftest import Clock


def address(job: Job) -> str:
    """Return the address of the job page."""
    return f"/admin/jobs/job/{job.pk}/"


def test_the_sentence_says_percent_counts_threshold_and_what_is_open(lead: Any) -> None:
    job = make_job(items=120, done=44, failed=3, threshold=90)
    head = lead.open(address(job)).section("head")
    assert "44 done 3 failed 73 open of 120 completes at 90 % (108) ETA" in head


def test_why_this_number_gives_the_formula_with_the_figures(lead: Any) -> None:
    job = make_job(items=17, done=10, failed=1)
    head = lead.open(address(job)).section("head")
    assert "(10 done + 0 skipped) · 100 / 17, rounded down = 58 %" in head
    assert "It completes when 10 · 100 reaches 17 · 100, that is at 17." in head


def test_the_eta_says_why_it_is_unknown_or_how_it_comes_about(lead: Any, clock: Clock) -> None:
    job = make_job(items=40, done=20)
    clock.forward(60)
    assert "ETA of Items: 20 open / 20.0 settled per minute (the last 5 minutes)" in lead.open(address(job)).text
    clock.forward(3600)
    unknown = "ETA of Items: unknown, because no item was settled in the last 5 minutes; 20 open."
    assert unknown in lead.open(address(job)).text


def test_phases_show_counts_gate_and_what_completed_them(lead: Any) -> None:
    specs = [PhaseSpec(code="ocr", label="OCR"), PhaseSpec(code="merge", label="Merge", weight=0, gated=True)]
    job = make_job(items=4, phases=specs)
    settle(phase_of(job, "ocr"), ["completed"] * 3)
    section = lead.open(address(job)).section("phases")
    assert "OCR Running 75 % 3 0 1 4" in section
    assert "waits for the earlier phases" in section
    assert "not announced" in section
    settle(phase_of(job, "ocr"), ["completed"], start=3)
    section = lead.open(address(job)).section("details")
    assert "by all done" in section
    assert "gate open" in section


@pytest.mark.parametrize(
    "query",
    [
        "?after=x",
        "?after=failed-x",
        "?before=pending--1",
        "?before=failed-1",
        "?after=skipped-9",
        "?after=-1",
        "?after=" + "9" * 40,
        "?phase=none",
        "?q=%00",
        "?status=%ff",
    ],
)
def test_an_address_that_makes_no_sense_still_shows_the_job(lead: Any, query: str) -> None:
    job = make_job(items=3)
    assert job.name in lead.open(address(job) + query).text


def test_errors_are_grouped_by_their_sentence_with_a_button_each(lead: Any) -> None:
    job = make_job(items=5)
    results = [tracking.Result(f"k{n}", "failed", error=f"timeout after {n} s") for n in range(3)]
    results.append(tracking.Result("k3", "failed", error="not an image"))
    tracking.report(phase_of(job), worker="w1", results=results, by=WORKER)
    page = lead.open(address(job))
    assert "3\u00d7 timeout after 2 s" in page.section("failures")
    assert "Retry these 3…" in page.section("failures")
    assert "signature=timeout+after+%23+s" in page.links()["Retry these 3…"]


def test_the_timeline_says_who_what_when_and_why(lead: Any) -> None:
    job = make_failed()
    operations.retry(job, actor=lead.account, reason="the service is back")
    section = lead.open(address(job)).section("timeline")
    assert (
        f"operator.retry items by {lead.account.username} 3 failed items are pending again. the service is back"
        in section
    )
    assert "item.retry_requested" in section
    assert "sent to subscribers" in section


def test_the_timeline_goes_back_as_far_as_there_is(lead: Any) -> None:
    job = make_job(items=1)
    for _ in range(30):
        operations.pause(job, actor=None, reason="first")
        operations.resume(job, actor=None)
    page = lead.open(address(job) + "?status=pending")
    assert len(page.root.find("ol", cls="timeline")[0].find("li")) == 50
    assert "Newest" not in page.links()
    older = lead.open(address(job) + page.links()["Older"])
    assert "job.created" in older.section("timeline")
    assert "Older" not in older.links()
    assert older.root.find("input", name="status")[0].attributes["value"] == "pending"
    assert "Older" in lead.open(address(job) + older.links()["Newest"]).links()
    assert "No older events." in lead.open(address(job) + "?events_before=1").section("timeline")


def test_the_rate_is_drawn_from_the_minutes(lead: Any) -> None:
    job = make_job(items=20, done=12, failed=2)
    page = lead.open(address(job))
    assert "Done 12" in page.section("rate")
    assert page.root.find("rect", cls="up")
    assert page.root.find("rect", cls="down")
    assert "No item has been settled" in lead.open(address(make_job(items=1))).section("rate")


def test_a_job_without_items_counts_without_a_grid(lead: Any) -> None:
    job = make_job(phases=[PhaseSpec(code="clustering")])
    tracking.start(phase_of(job), by=WORKER)
    page = lead.open(address(job))
    assert page.section("items") == ""
    assert "total not announced" in page.section("head")


def test_a_job_out_of_sight_is_not_there(browser: Any) -> None:
    job = make_job(name="theirs", items=1, project="b")
    page = browser("viewer", projects=["a"]).open(address(job), status=404)
    assert "theirs" not in page.text
    assert "Overview" in page.links()


def test_without_the_permission_it_says_which_one_is_missing(browser: Any) -> None:
    job = make_job(name="hidden", items=1)
    page = browser("").open(address(job), status=403)
    assert "jobs.view_job" in page.text
    assert "hidden" not in page.text


def test_what_a_worker_writes_is_text(lead: Any) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    job = make_job(name=evil, items=0, project=evil)
    job = make_job(name="evil-items", project=evil)
    phase = phase_of(job)
    tracking.add_items(phase, items=[tracking.NewItem(evil, label=evil, split="</td>")], by=WORKER)
    tracking.report(phase, worker=evil, results=[tracking.Result(evil, "failed", error=evil)], by=WORKER)
    page = lead.open(address(job))
    assert page.text.count(evil) >= 4
    assert evil not in page.source
    assert "<img" not in page.source


@pytest.mark.parametrize("items", [10, 390])
def test_the_number_of_queries_does_not_grow_with_the_items(
    lead: Any, django_assert_max_num_queries: Any, items: int
) -> None:
    job = make_job(items=items, done=items // 2, failed=items // 5)
    lead.open(address(job))
    with django_assert_max_num_queries(28):
        lead.open(address(job))
