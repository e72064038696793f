"""The page of one job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from jobs import operations, tracking
from jobs.console.acts import selection
from jobs.console.items import item_list
from jobs.models import Item, Job
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, make_job, phase_of, settle, take
from tests.jobs.pages.test_overview import make_failed, make_stuck
from tests.jobs.rules.conftest import Clock


def address(job: Job) -> str:
    """Return the address of the job page."""
    return f"/admin/jobs/job/{job.pk}/"


def test_the_sentence_says_percent_counts_threshold_and_what_is_open(lead: Any) -> None:
    job = make_job(items=120, done=44, failed=3, threshold=90)
    head = lead.open(address(job)).section("head")
    assert "36 % 44 of 120 done, 3 failed, 73 open completes at 90 % (108) ETA" in head


def test_why_this_number_gives_the_formula_with_the_figures(lead: Any) -> None:
    job = make_job(items=17, done=10, failed=1)
    head = lead.open(address(job)).section("head")
    assert "(10 done + 0 skipped) · 100 / 17, rounded down = 58 %" in head
    assert "It completes when 10 · 100 reaches 17 · 100, that is at 17." in head


def test_why_stuck_names_silence_leases_and_the_gap(lead: Any) -> None:
    job = make_stuck()
    panel = lead.open(address(job)).section("acts")
    assert panel.startswith("Why stuck It is stuck and will not finish by itself.")
    assert "Silent 0 s: no report and no heartbeat." in panel
    assert "Waiting for a worker: 73 items pending, none leased" in panel
    assert "Needs 108, has 44; 73 open." in panel
    assert "Retry 3 failed… → 3 items pending again. It completes with 64 more successes." in panel


def test_a_remedy_is_offered_once_and_the_other_acts_after_it(lead: Any) -> None:
    page = lead.open(address(make_stuck()))
    labels = [node.text for node in page.root.find(cls="why-panel")[0].find(cls="act")]
    assert labels[:2] == ["Retry 3 failed…", "Force-complete…"]
    assert len(labels) == len(set(labels))
    assert {"Pause…", "Cancel…", "Fail…", "Change threshold…", "Restart a phase…"} < set(labels)


def test_a_threshold_that_would_complete_it_is_offered_with_its_figure(lead: Any) -> None:
    job = make_job(items=20, done=17, failed=3, on_shortfall="fail")
    page = lead.open(address(job))
    panel = page.section("acts")
    assert panel.startswith("Why failed")
    assert "Lower the threshold to 85 %… → Completes at once with 3 missing." in panel
    asked = lead.open(page.links()["Lower the threshold to 85 %…"])
    assert asked.root.find("input", name="threshold")[0].attributes["value"] == "85"


def test_where_nobody_is_needed_the_causes_are_folded(lead: Any) -> None:
    job = make_job(items=5, done=1)
    take(phase_of(job), 1)
    page = lead.open(address(job))
    assert page.section("acts").startswith("Available acts It is running and needs nobody. Why it is not finished")
    assert "open" not in page.root.find("details", id="diagnosis")[0].attributes


def test_a_job_that_waits_for_a_worker_says_so_in_its_verdict(lead: Any) -> None:
    panel = lead.open(address(make_job(items=12))).section("acts")
    assert panel.startswith("Available acts It waits for a worker: 12 items pending, none leased.")


def test_the_eta_says_why_it_is_unknown_or_how_it_comes_about(lead: Any, clock: Clock) -> None:
    job = make_job(items=40, done=20)
    clock.forward(60)
    assert "ETA of Items: 20 open / 20.0 settled per minute (the last 5 minutes)" in lead.open(address(job)).text
    clock.forward(3600)
    unknown = "ETA of Items: unknown, because no item was settled in the last 5 minutes; 20 open."
    assert unknown in lead.open(address(job)).text


def test_buttons_carry_figures_and_say_what_they_would_do(lead: Any) -> None:
    job = make_job(items=120, done=44, failed=3, threshold=90)
    tracking.claim(phase_of(job), worker="w1", limit=2, lease_seconds=1, by=WORKER)
    Item.objects.held().update(lease_expires_at=timezone.now() - timedelta(seconds=5))
    section = lead.open(address(job)).section("acts")
    assert "Retry 3 failed… → 3 items pending again. It completes with 64 more successes." in section
    assert "Release 2 leases… → 2 items claimable again." in section
    assert "Force-complete… → Sends items.completed (partial, 44 of 120), then job.completed; no way back." in section
    assert "Change threshold… items: 36 % is met now" in section


def test_live_leases_are_no_reason_to_release(lead: Any) -> None:
    job = make_job(items=5)
    tracking.claim(phase_of(job), worker="w1", limit=2, by=WORKER)
    section = lead.open(address(job)).section("acts")
    assert "Release leases… 0 items claimable again; 2 live leases stay" in section


@pytest.mark.parametrize(
    ("role", "off"),
    [
        ("viewer", {"Retry 3 failed…", "Release leases…", "Pause…", "Force-complete…", "Cancel…", "Fail…"}),
        ("operator", {"Release leases…", "Force-complete…", "Cancel…", "Fail…"}),
        ("lead", {"Release leases…"}),
    ],
)
def test_what_is_not_permitted_or_not_possible_is_off_with_the_reason(browser: Any, role: str, off: set[str]) -> None:
    job = make_job(items=120, done=44, failed=3)
    page = browser(role).open(address(job))
    found = {node.text: node.attributes["title"] for node in page.root.find("span", cls="off")}
    assert off <= set(found)
    assert found["Release leases…"] == (
        "Needs the permission “Can release items from their workers”. Ask an administrator for a role that has it."
        if role == "viewer"
        else "No worker holds an item."
    )
    if role == "lead":
        assert set(found) == off


def test_a_state_that_forbids_an_act_is_named(lead: Any) -> None:
    job = make_job(items=1, done=1)
    section = lead.open(address(job)).section("acts")
    assert f"Job {job.name} is completed; possible while it is pending, processing, paused or failed." in section


def test_a_paused_job_offers_to_resume(lead: Any) -> None:
    job = make_job(items=3, done=1)
    operations.pause(job, actor=None)
    section = lead.open(address(job)).section("acts")
    assert "Resume…" in section
    assert "Pause…" not in section


def test_phases_show_counts_gate_and_what_completed_them(lead: Any) -> None:
    specs = [PhaseSpec(code="ocr", label="OCR"), PhaseSpec(code="merge", label="Merge", weight=0, gated=True)]
    job = make_job(items=4, phases=specs)
    settle(phase_of(job, "ocr"), ["completed"] * 3)
    section = lead.open(address(job)).section("phases")
    assert "3 / 4 / 4" in section
    assert "waits for the earlier phases" in section
    assert "not announced" in section
    settle(phase_of(job, "ocr"), ["completed"], start=3)
    section = lead.open(address(job)).section("phases")
    assert "by all done" in section
    assert "gate open" in section


def test_every_item_has_a_cell_up_to_four_hundred(lead: Any) -> None:
    job = make_job(items=12, done=3, failed=1)
    page = lead.open(address(job))
    cells = page.root.find("a", cls="cell")
    assert len(cells) == 12
    assert cells[3].text == "k3: Failed, unknown error"
    assert [cell.attributes.get("tabindex") for cell in cells[:2]] == [None, "-1"]


def test_above_that_a_cell_is_a_block_with_the_worst_status(lead: Any) -> None:
    job = make_job(items=1001)
    settle(phase_of(job), ["completed", "completed", "failed"] + ["completed"] * 497)
    tracking.claim(phase_of(job), worker="w1", limit=2, by=WORKER)
    page = lead.open(address(job))
    cells = page.root.find("a", cls="cell")
    assert len(cells) == 334
    assert [cells[0].text, cells[1].text] == ["Block 1: worst is failed", "Block 2: worst is completed"]
    assert cells[166].text == "Block 167: worst is running"
    assert cells[166].find("use")[0].attributes["href"] == "#i-running"
    assert {cell.attributes["class"] for cell in cells[168:]} == {"cell pending"}
    assert "Each cell stands for about 3 items" in page.section("items")


def test_a_block_leads_to_the_list_of_exactly_its_items(lead: Any) -> None:
    job = make_job(items=1001)
    page = lead.open(address(job))
    block = page.root.find("a", cls="cell")[1].attributes["href"]
    first, last = (int(end) for end in block.partition("range=")[2].removesuffix("#items").split("-"))
    assert ticks(lead.open(address(job) + block)) == [str(pk) for pk in range(first, last + 1)]
    assert (last - first, first) == (2, Item.objects.order_by("pk")[3].pk)


@pytest.mark.parametrize("ids", ["1", "-", "a-b", "1-2-3", "9" * 30 + "-" + "9" * 40, "٣-٤"])
def test_a_range_that_makes_no_sense_matches_nothing(lead: Any, ids: str) -> None:
    assert ticks(lead.open(f"{address(make_job(items=3))}?range={quote(ids)}")) == []


def ticks(page: Any) -> list[str]:
    """The ids of the items that are listed."""
    return [node.attributes["value"] for node in page.root.find("input", name="item")]


def test_items_are_filtered_by_status_split_and_text(lead: Any) -> None:
    job = make_job(items=6, done=2, failed=1)
    Item.objects.filter(key="k5").update(split="valid", label="Chunk 5 (pages 101-125)")

    def listed(query: str) -> set[str]:
        return set(ticks(lead.open(address(job) + query)))

    pk = {item.key: str(item.pk) for item in Item.objects.all()}
    assert listed("?status=failed") == {pk["k2"]}
    assert listed("?split=valid") == {pk["k5"]}
    assert listed("?q=pages+101") == {pk["k5"]}
    assert listed("?q=k1") == {pk["k1"]}
    assert listed("?status=nonsense") == set(pk.values())


def test_the_list_of_items_is_paged_back_and_forth(lead: Any) -> None:
    job = make_job(items=80, done=30, failed=10, skipped=8)
    take(phase_of(job), 7)
    seen: list[list[str]] = []
    place = address(job)
    while place:
        page = lead.open(place)
        seen.append(ticks(page))
        here, place = place, address(job) + page.links()["Next page"] if "Next page" in page.links() else ""
    every = [pk for listed in seen for pk in listed]
    assert len(every) == len(set(every)) == 80
    for listed in reversed(seen[:-1]):
        page = lead.open(address(job) + lead.open(here).links()["Previous page"])
        assert ticks(page) == listed
        here = str(page.response.request["PATH_INFO"]) + "?" + page.response.request["QUERY_STRING"]
    assert "Previous page" not in page.links()


def test_the_list_begins_with_what_is_worst(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3, skipped=2)
    take(phase_of(job), 4)
    rows = lead.open(address(job)).root.find("table", cls="items")[0].find("tr")[1:]
    assert [row.find(cls="pill")[0].text for row in rows] == (
        ["Failed"] * 3 + ["Running"] * 4 + ["Pending"] * 9 + ["Completed"] * 9
    )


def test_tabs_count_the_states_and_lead_to_them_with_the_other_filters(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3)
    page = lead.open(address(job))
    assert "All 30 Failed 3 Pending 15 Completed 12" in page.section("items")
    assert len(ticks(lead.open(address(job) + page.links()["Failed 3"]))) == 3
    narrowed = lead.open(address(job) + "?split=x&worker=w9")
    assert narrowed.links()["Failed"] == "?phase=items&status=failed&split=x&worker=w9#items"
    assert "split x, worker w9" in narrowed.section("items")


@pytest.mark.parametrize(
    ("query", "said", "acts"),
    [
        ("", "All 30 Failed 3", set()),
        ("?status=failed", "All 3 that match: Retry all…", {"Retry all…", "Skip all…"}),
        ("?status=pending&q=k2", "All 10 that match: Skip all…", {"Skip all…"}),
        ("?status=completed", "All 12 that match", set()),
    ],
)
def test_everything_that_matches_is_acted_on_by_its_filter(lead: Any, query: str, said: str, acts: set[str]) -> None:
    job = make_job(items=30, done=12, failed=3)
    page = lead.open(address(job) + query)
    assert said in page.section("items")
    assert {text for text in page.links() if text.endswith("all…")} == acts


def test_retrying_all_that_match_leaves_the_others_and_comes_back_to_the_filter(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3)
    here = address(job) + "?status=failed&q=k12"
    told = lead.confirm(lead.open(here).links()["Retry all…"])
    assert told.messages == [f"{job.name}: 1 retried."]
    assert told.response.redirect_chain[-1][0] == here
    assert phase_of(job).failed == 2


def test_of_more_than_one_confirmation_takes_the_first_are_offered(lead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_list, "MOST_ITEMS", 5)
    monkeypatch.setattr(selection, "MOST_ITEMS", 5)
    job = make_job(items=6)
    page = lead.open(address(job) + "?q=k")
    assert "The first 5 that match" in page.section("items")
    asked = lead.open(page.links()["Skip all…"])
    assert "More match than one confirmation can include: these are 5 of 6 items" in asked.text
    told = lead.confirm(page.links()["Skip all…"], page=asked, reason="not needed")
    assert told.messages == [f"{job.name}: 5 skipped."]
    assert list(job.phases.get().items.filter(status="pending").values_list("key", flat=True)) == ["k5"]


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
    with django_assert_max_num_queries(26):
        lead.open(address(job))
