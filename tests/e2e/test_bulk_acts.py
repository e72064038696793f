"""An act on everything that a list matches, from the ticked box to the last job."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from jobs.models import Job
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from tests.e2e.test_live_pages import assert_not_reloaded, mark_page
from tests.factories import make_job

pytestmark = pytest.mark.e2e


def work_to_the_end() -> None:
    """Run the bulk acts in place of the watchdog, which is off during browser tests."""
    while bulk.run_bulk_acts(seconds=60):
        pass


def test_everything_that_a_filter_matches_is_paused_and_the_filter_is_kept(page: Page, complaints: Any) -> None:
    for n in range(54):
        make_job(name=f"wanted-{n}", items=1)
    make_job(name="other", items=1)
    page.goto("/admin/jobs/job/?q=wanted&o=2")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 54").click()
    page.get_by_role("button", name="Pause…").click()
    expect(page.get_by_text("matching “wanted”").first).to_be_visible()
    page.get_by_label("Reason").fill("backup")
    page.get_by_role("button", name="Pause 54 jobs").click()
    page.wait_for_url(lambda url: "/act/" not in url)
    work_to_the_end()
    expect(page.get_by_text("54 jobs paused.").first).to_be_visible(timeout=60_000)
    if "/bulk/" in page.url:
        page.get_by_role("link", name="Back to the list").click()
    assert page.url.endswith("/admin/jobs/job/?q=wanted&o=2")
    assert Job.objects.filter(status="paused").count() == 54
    assert complaints == []


def test_the_page_of_a_long_one_follows_it_to_the_end_without_a_reload(page: Page, lead: Any, complaints: Any) -> None:
    jobs = [make_job(name=f"job-{n}", items=1) for n in range(40)]
    marks = [TargetSelection(figures.job, bulk.expected_state(figures).states) for figures in snapshots_of(jobs)]
    act = bulk.create_bulk_act(ActRequest(ACTS["pause"], Scope(), "backup"), marks, actor=lead, words="all jobs")
    page.goto(f"/admin/bulk/{act.pk}/")
    mark_page(page)
    bulk.run_bulk_acts(seconds=0.05)
    expect(page.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    work_to_the_end()
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100", timeout=60_000)
    expect(page.get_by_role("status").filter(has_text="40 jobs paused.")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    assert_not_reloaded(page)
    assert Axe().run(page).response["violations"] == []
    assert complaints == []
