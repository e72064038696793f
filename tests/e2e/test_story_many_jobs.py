"""Ten thousand jobs: searched, filtered, ticked, and everything that matches acted upon."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.models import BulkAct, Job
from jobs.operations import bulk
from tests.e2e.story_helpers import expect_fact, expect_said
from tests.e2e.test_live_pages import assert_not_reloaded, mark_page
from tests.factories import make_job, phase_of
from tests.jobs.pages.many_jobs import make_crowd
from tests.plan import size

pytestmark = pytest.mark.e2e
LIST = "/admin/jobs/job/"


@pytest.mark.full
def test_a_job_among_very_many_is_found_and_the_filter_is_kept_through_the_act(page: Page, complaints: Any) -> None:
    make_crowd(size(1_000, full=10_000))
    other = make_job(name="needle-1", items=3, failed=1, project="matter-7")
    make_job(name="needle-2", items=3, failed=2, project="matter-7")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.get_by_role("searchbox", name="Part of a name").fill("needle status=all")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row", name="needle")).to_have_count(2)
    kept = page.url
    assert "q=needle" in kept
    page.get_by_role("row", name="needle-2").get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Retry 2 items").click()
    expect_said(page, "needle-2: 2 retried.")
    assert page.url == kept
    assert phase_of(other).failed == 1
    assert complaints == []


def test_everything_that_matches_is_counted_before_and_its_progress_can_be_followed_and_stopped(
    page: Page, complaints: Any
) -> None:
    make_crowd(1000)
    page.goto(f"{LIST}?status=pending&q=crowd")
    page.get_by_role("checkbox", name="Select all").check()
    page.get_by_role("button", name="Select all 1,000 jobs").click()
    page.get_by_role("button", name="Pause…").click()
    expect_fact(page, "Selected", "status Pending, matching “crowd”")
    expect_fact(page, "Found", "1,000 jobs")
    expect_fact(page, "Limit", "5,000 jobs or 50,000 items at once.")
    page.get_by_label("Reason").fill("The disk is moved")
    page.get_by_role("button", name="Pause 1,000 jobs").click()

    bar = page.get_by_role("progressbar", name="Jobs done")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^\d+ of 1,000 jobs, 0 refused$"))
    mark_page(page)
    act = BulkAct.objects.get()
    bulk.run_bulk_acts(seconds=0.5)
    act.refresh_from_db()
    expect(bar).to_have_attribute("aria-valuetext", f"{act.settled:,} of 1,000 jobs, 0 refused")
    assert_not_reloaded(page)
    page.get_by_role("button", name="Stop; leave the other jobs unchanged").click()
    done = Job.objects.filter(status="paused").count()
    assert 0 < done < 1000
    expect_said(page, f"Stopped: {1000 - done:,} jobs not changed.")
    expect(page.get_by_role("table")).to_contain_text(f"{done:,}")
    page.get_by_role("link", name="Back to the list").click()
    assert page.url.endswith("?status=pending&q=crowd")
    assert complaints == []
