"""The gravest act: a wrong name, a job that went on meanwhile, and then once."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from jobs.models import Job
from tests.e2e.story_helpers import Worker, expect_fact, expect_said, make_stuck, open_more, row_of
from tests.e2e.test_live_pages import assert_not_reloaded, expect_mode, mark_page
from tests.factories import outward

pytestmark = pytest.mark.e2e
NAME = "Type vision-033 to confirm"


def test_a_job_is_force_completed_by_its_exact_name_and_with_the_figures_of_now(
    page: Page, context: BrowserContext, worker: Worker, lead: Any, complaints: Any
) -> None:
    job = make_stuck()
    overview = context.new_page()
    overview.goto("/admin/")
    expect(row_of(overview, "Needs attention", "vision-033")).to_be_visible()
    expect_mode(overview, "Live")
    mark_page(overview)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    open_more(page).get_by_role("link", name="Force-complete…").click()
    expect_fact(page, "Now", "5 of 12 done (41 %)")
    expect_fact(page, "Will be sent", "processed_assets=5, has_partial_completion=true, forced=true")
    expect_fact(page, "Undo", "Not possible")

    page.get_by_label("Reason").fill("The customer takes what there is")
    page.get_by_label(NAME).fill("vision-33")
    page.get_by_role("button", name="Force-complete job").click()
    expect(page.get_by_text("Type vision-033 exactly to confirm.")).to_be_visible()
    assert Job.objects.get().status == "processing"

    worker.finish(job, worker.claim(job, 1))
    page.get_by_label(NAME).fill("vision-033")
    page.get_by_role("button", name="Force-complete job").click()
    expect(page.get_by_text("vision-033 has changed since this page was loaded.")).to_be_visible()
    expect_fact(page, "Now", "6 of 12 done (50 %)")
    expect(page.get_by_label("Reason")).to_have_value("The customer takes what there is")
    assert outward(job, "items.completed") == []

    page.get_by_label(NAME).fill("vision-033")
    page.get_by_role("button", name="Force-complete job").click()
    expect_said(page, "vision-033: 1 phase force-completed.")
    [event] = outward(job, "items.completed")
    assert (event["processed_assets"], event["total_assets"], event["forced"]) == (6, 12, True)
    assert len(outward(job, "job.completed")) == 1
    assert job.events.get(type="operator.force_complete").account == lead
    expect(overview.get_by_text("Nothing needs attention.")).to_be_visible()
    expect(overview.get_by_role("link", name="vision-033: ")).to_contain_text("Completed, partial")
    assert_not_reloaded(overview)
    assert complaints == []
