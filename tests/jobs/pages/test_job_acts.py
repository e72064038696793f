"""The acts and the diagnosis on the page of a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import operations, tracking
from jobs.models import Item
from tests.factories import WORKER, make_job, phase_of, take
from tests.jobs.pages.test_job_page import address
from tests.jobs.pages.test_overview import make_stuck


def acts(page: Any) -> list[str]:
    """Return the labels of the acts in the head, the helpful ones first, without those that are impossible."""
    head = page.root.find(data_section="head-acts")[0]
    return [link.text for link in head.find("a", cls="act")]


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
    assert [node.text for node in page.root.find(cls="why-panel")[0].find(cls="act")] == ["Retry 3 failed…"]
    labels = acts(page)
    assert labels[0] == "Retry 3 failed…"
    assert len(labels) == len(set(labels))
    assert {"Pause…", "Cancel…", "Fail…", "Change threshold…", "Restart a phase…", "Force-complete…"} < set(labels)


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
    assert page.section("acts").startswith("It is running and needs no action. Why it is not finished")
    assert "open" not in page.root.find("details", id="diagnosis")[0].attributes


def test_a_job_that_waits_for_a_worker_says_so_in_its_verdict(lead: Any) -> None:
    panel = lead.open(address(make_job(items=12))).section("acts")
    assert panel.startswith("It waits for a worker: 12 items pending, none leased.")


def test_buttons_carry_figures_and_say_what_they_would_do(lead: Any) -> None:
    job = make_job(items=120, done=44, failed=3, threshold=90)
    tracking.claim(phase_of(job), worker="w1", limit=2, lease_seconds=1, by=WORKER)
    Item.objects.held().update(lease_expires_at=timezone.now() - timedelta(seconds=5))
    page = lead.open(address(job))
    section, head = page.section("acts"), page.section("head-acts")
    assert "Retry 3 failed… → 3 items pending again. It completes with 64 more successes." in section
    assert "Release 2 leases… → 2 items claimable again." in section
    assert "Force-complete… Completes items with 44 of 120; cannot be undone" in head
    assert "Change threshold… items: 36 % is met now" in head


def test_live_leases_are_no_reason_to_release(lead: Any) -> None:
    job = make_job(items=5)
    tracking.claim(phase_of(job), worker="w1", limit=2, by=WORKER)
    section = lead.open(address(job)).section("head-acts")
    assert "Release leases… 0 items claimable again; 2 live leases stay" in section


@pytest.mark.parametrize(
    ("role", "off"),
    [
        ("operator", {"Release leases…", "Force-complete…", "Cancel…", "Fail…"}),
        ("lead", {"Release leases…", "Lift quarantine…", "Delete…"}),
    ],
)
def test_what_is_not_permitted_or_not_possible_is_folded_with_the_reason(
    browser: Any, role: str, off: set[str]
) -> None:
    job = make_job(items=120, done=44, failed=3)
    [folded] = browser(role).open(address(job)).root.find("details", id="why-not")
    found = {node.text: node.attributes["title"] for node in folded.find("span", cls="off")}
    assert off <= set(found)
    assert found["Release leases…"] == "No worker holds an item."
    if role == "lead":
        assert set(found) == off
    else:
        assert found["Cancel…"] == "Your role does not allow these. Ask an administrator for the role lead."
        assert folded.text.count("Ask an administrator") == 1


def test_an_account_that_only_reads_is_told_so_once(browser: Any) -> None:
    page = browser("viewer").open(address(make_job(items=120, done=44, failed=3)))
    assert page.section("head-acts") == "View only. Ask an administrator for the role operator."
    assert "Pause…" not in page.text


def test_a_state_that_forbids_an_act_is_named(lead: Any) -> None:
    job = make_job(items=1, done=1)
    section = lead.open(address(job)).section("head-acts")
    assert f"Job {job.name} is completed; possible while it is pending, processing, paused or failed." in section


def test_a_paused_job_offers_to_resume(lead: Any) -> None:
    job = make_job(items=3, done=1)
    operations.pause(job, actor=None)
    section = lead.open(address(job)).section("head-acts")
    assert section.startswith("Resume…")
    assert "Pause…" not in section
