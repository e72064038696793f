"""The overview."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.models import Job, Worker
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from tests.factories import WORKER, make_job, phase_of
from tests.jobs.pages.test_attention import overview


def make_stuck(**fields: Any) -> Job:
    """A job whose worker fell silent long ago."""
    job = make_job(items=120, done=44, failed=3, threshold=90, **fields)
    watchdog.find_stuck(timezone.now() + timedelta(hours=1))
    job.refresh_from_db()
    assert job.stuck == "silent"
    return job


def make_failed(**fields: Any) -> Job:
    """A job that failed for three of its items."""
    return make_job(items=17, done=14, failed=3, on_shortfall="fail", **fields)


def tile(page: Any, word: str) -> tuple[str, str]:
    """The number in a tile, and where it leads."""
    found = next((text, address) for text, address in page.links().items() if text.endswith(word))
    return found[0].removesuffix(word).strip(), found[1]


def test_whoever_is_not_signed_in_is_asked_to(db: None) -> None:
    response = Client().get("/admin/")
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


def test_a_worker_account_that_is_no_staff_does_not_get_in(browser: Any) -> None:
    worker = browser("worker")
    worker.account.is_staff = False
    worker.account.save()
    assert "not authorized" in overview(worker).text


def test_without_the_permission_to_view_jobs_it_says_which_one_is_missing(browser: Any) -> None:
    make_job(name="hidden")
    page = browser("").open("/admin/")
    assert "jobs.view_job" in page.text
    assert "hidden" not in page.text


def test_the_first_run_says_how_to_create_a_job(lead: Any) -> None:
    page = overview(lead)
    assert "make demo" in page.text
    assert "curl -X POST http://testserver/api/v1/jobs" in page.text
    assert "No watchdog has run yet" in page.text


def test_tiles_count_the_jobs_of_each_state_and_lead_to_their_lists(lead: Any) -> None:
    make_stuck(name="s")
    make_failed(name="f")
    make_job(name="r", items=5, done=1)
    make_job(name="p", items=5)
    make_job(name="c", items=1, done=1)
    page = overview(lead)
    for word, count, name in (("Stuck", "1", "s"), ("Failed", "1", "f"), ("Pending", "1", "p"), ("Running", "1", "r")):
        number, address = tile(page, word)
        assert number == count, word
        assert name in lead.open(address).links(), word
    number, address = tile(page, "Completed 24 h")
    assert (number, "c" in lead.open(address).links()) == ("1", True)


def test_attention_is_ordered_stuck_then_out_of_reach_then_retryable(lead: Any) -> None:
    make_stuck(name="silent-one")
    make_failed(name="retryable")
    make_job(name="hopeless", items=17, done=2, failed=3, on_shortfall="fail")
    section = overview(lead).section("attention")
    places = [section.index(name) for name in ("silent-one", "hopeless", "retryable")]
    assert places == sorted(places)
    assert "needs 17, at most 14 can still succeed" in section


def test_attention_says_since_when_why_and_what_to_press(lead: Any) -> None:
    job = make_stuck(name="vision-033")
    Job.objects.filter(pk=job.pk).update(
        heartbeat_at=timezone.now() - timedelta(minutes=46, seconds=5), watched_from=timezone.now() - timedelta(hours=2)
    )
    failed = make_failed(name="ocr-031")
    page = overview(lead)
    assert "silent 46 min: no report and no heartbeat no worker holds an item" in page.section("attention")
    assert page.links()["Force-complete…"].startswith(f"/admin/jobs/job/{job.pk}/force-complete/")
    assert page.links()["Retry 3 failed…"].startswith(f"/admin/jobs/job/{failed.pk}/retry/")


def test_a_button_without_its_permission_is_off_and_says_why(browser: Any) -> None:
    make_failed(name="ocr-031")
    page = overview(browser("viewer"))
    off = page.root.find("span", cls="off")
    assert [button.text for button in off] == ["Retry 3 failed…"]
    assert "Can retry failed items" in off[0].attributes["title"]


def test_a_partial_shortfall_that_is_foreseen_needs_attention(lead: Any) -> None:
    make_job(name="will-be-partial", items=10, done=2, failed=3)
    page = overview(lead)
    assert "will-be-partial" in page.section("attention")
    assert "needs 10, at most 7 can still succeed: 3 failed" in page.section("attention")
    assert "will-be-partial" not in page.section("running")


def test_running_rows_show_bar_threshold_mark_failed_rate_and_time_left(lead: Any) -> None:
    make_job(name="runs", items=100, done=58, failed=6, threshold=90)
    page = overview(lead)
    bar = page.root.find("svg", role="progressbar")[0]
    assert bar.attributes["aria-valuenow"] == "58"
    assert bar.attributes["aria-valuetext"] == "58 % done, 6 % failed, completes at 90 %"
    assert [rect.attributes["width"] for rect in bar.find("rect")] == ["100%", "58%", "6%"]
    assert bar.find("line", cls="mark")[0].attributes["x1"] == "90%"
    assert "6" in page.section("running")


def test_a_total_that_is_unknown_is_never_a_made_up_percent(lead: Any) -> None:
    job = make_job(name="clusters", phases=[PhaseSpec(code="clustering")])
    tracking.start(phase_of(job), by=WORKER)
    page = overview(lead)
    bar = page.root.find("svg", role="progressbar")[0]
    assert "aria-valuenow" not in bar.attributes
    assert bar.attributes["aria-valuetext"] == "total unknown"
    assert "? %" in page.section("running")


def test_each_job_is_in_one_tile_and_a_tile_leads_to_the_jobs_that_it_counts(lead: Any) -> None:
    make_stuck(name="s")
    late = {"due_at": timezone.now() - timedelta(hours=2), "late": True}
    Job.objects.filter(pk=make_job(name="stuck-and-late", items=2, done=1).pk).update(**late, stuck="silent")
    Job.objects.filter(pk=make_job(name="late", items=2, done=1).pk).update(**late)
    operations.pause(make_job(name="z", items=3, done=1), actor=None)
    make_failed(name="f")
    make_job(name="r", items=5, done=1)
    make_job(name="p", items=5)
    make_job(name="c", items=1, done=1)
    page = lead.open("/admin/")
    tiles = page.root.find("li", cls="tile")
    counts = {each.find("span")[0].text: int(each.find("b")[0].text) for each in tiles}
    assert counts == {
        "Stuck": 2, "Late": 1, "Failed": 1, "Running": 1, "Pending": 1, "Paused": 1, "Completed 24 h": 1,
        "Cancelled 24 h": 0,
    }  # fmt: skip
    assert sum(counts.values()) == Job.objects.count()
    for each in tiles:
        listed = lead.open(each.find("a")[0].attributes["href"]).root.find(id="result_list")
        rows = listed[0].find("tbody")[0].find("tr") if listed else []
        assert len(rows) == int(each.find("b")[0].text), each.text


def test_the_last_runs_are_squares_with_their_state_and_a_link(lead: Any) -> None:
    failed, over = make_failed(name="f"), make_job(name="over", items=1, done=1)
    squares = overview(lead).root.find("a", cls="square")
    assert [each.attributes["href"] for each in squares] == [f"/admin/jobs/job/{each.pk}/" for each in (over, failed)]
    assert squares[0].text.startswith("over: Completed, 1 of 1 done")
    assert squares[1].attributes["title"] == "f: Failed, 14 of 17 done"
    assert [each.find("use")[0].attributes["href"] for each in squares] == ["#i-completed", "#i-failed"]


def test_ten_running_jobs_are_listed_with_a_link_to_all(lead: Any) -> None:
    for place in range(12):
        make_job(name=f"r-{place}", items=5, done=1)
    page = overview(lead)
    assert page.section("running").count("r-") == 10
    assert page.section("running").startswith("Running 12 ")
    assert page.links()["All running jobs"] == "/admin/jobs/job/?status=processing"


def test_filters_narrow_every_part_and_stay_in_the_address(lead: Any) -> None:
    make_job(name="alpha", items=3, done=1, project="matter-1")
    make_job(name="beta", items=3, done=1, project="matter-2")
    page = lead.open("/admin/?project=matter-1&q=ALP")
    assert "alpha" in page.section("running")
    assert "beta" not in page.section("running")
    assert tile(page, "Running")[0] == "1"
    assert "project=matter-1" in tile(page, "Running")[1]
    assert page.root.find(id="live")[0].attributes["data-socket"] == "/ws/projects/matter-1"


def test_a_limited_account_sees_only_its_projects(browser: Any) -> None:
    make_job(name="mine", items=3, done=1, project="a")
    make_job(name="theirs", items=3, done=1, project="b")
    Worker.objects.all().delete()
    tracking.heartbeat(Job.objects.get(name="theirs"), worker="w-secret", by=WORKER)
    page = overview(browser("viewer", projects=["a"]))
    assert "mine" in page.text
    assert "theirs" not in page.text
    assert "No worker has sent a heartbeat" in page.section("workers")
    assert "1" in page.section("throughput")


def test_silent_workers_are_named(lead: Any) -> None:
    job = make_job(name="runs", items=3, done=1)
    tracking.heartbeat(job, worker="w-alive", by=WORKER)
    tracking.heartbeat(job, worker="w-quiet", by=WORKER)
    Worker.objects.filter(name="w-quiet").update(seen_at=timezone.now() - timedelta(seconds=80))
    section = overview(lead).section("workers")
    assert "2 of 3 alive" in section
    assert "w-quiet 8" in section


def test_throughput_says_what_was_settled(lead: Any) -> None:
    make_job(items=20, done=12, failed=2)
    section = overview(lead).section("throughput")
    assert "Done 12" in section
    assert "Failed 2" in section


def test_what_a_worker_writes_is_text(lead: Any) -> None:
    evil = "<script>alert(1)</script>"
    make_job(name=evil, items=3, done=1, failed=2, project=evil, on_shortfall=Shortfall.FAIL.value)
    page = overview(lead)
    assert evil in page.text
    assert evil not in page.source


def test_the_page_has_no_inline_script_style_or_handler(lead: Any) -> None:
    make_stuck()
    page = overview(lead)
    for node in page.root.walk():
        assert "style" not in node.attributes
        assert not [name for name in node.attributes if name.startswith("on")]
        assert node.tag != "style"
        assert node.tag != "script" or node.attributes.get("src")


@pytest.mark.parametrize("query", ["?project=%00", "?q=%00", "?kind=nonsense", "?q=" + "x" * 3000])
def test_an_address_that_makes_no_sense_still_shows_the_overview(lead: Any, query: str) -> None:
    make_job(name="there", items=2, done=1)
    assert "there" in lead.open(f"/admin/{query}").text


@pytest.mark.parametrize("many", [2, 12])
def test_the_number_of_queries_does_not_grow_with_the_jobs(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for _ in range(many):
        make_stuck()
        make_failed()
        make_job(items=5, done=1)
        make_job(items=5)
        make_job(items=1, done=1)
    overview(lead)
    with django_assert_max_num_queries(49):
        lead.open("/admin/")
