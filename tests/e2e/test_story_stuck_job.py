"""Why is it stuck, what helps, did it work: one night of an operator."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Event
from tests.e2e.story_helpers import Worker, expect_fact, expect_said, make_stuck, row_of
from tests.e2e.test_live_pages import assert_not_reloaded, bar_of, expect_mode, mark_page

pytestmark = pytest.mark.e2e
CAUSES = [
    "Silent 46 min: no report and no heartbeat.",
    "Needs 11, has 5; 5 open, 3 of them leased.",
    "The threshold is out of reach: it needs 11, at most 10 can still succeed: 2 failed.",
    "3 leases of w-7 expired.",
    "Waiting for a worker: 2 items pending, none under a live lease.",
]


def test_a_stuck_job_is_found_understood_freed_and_watched_to_its_end(
    page: Page, worker: Worker, complaints: Any
) -> None:
    job = make_stuck()
    page.reload()
    row = row_of(page, "Needs attention", "vision-033")
    expect(row).to_contain_text("silent 46 min: no report and no heartbeat")
    expect(row).to_contain_text("3 items still held by w-7")
    row.get_by_role("link", name="vision-033").click()

    why = page.get_by_role("region", name="Why stuck")
    for cause in CAUSES:
        expect(why.get_by_role("listitem").filter(has_text=cause)).to_be_visible()
    expect(why.get_by_role("row", name="Release 3 leases…")).to_contain_text("3 items claimable again")
    expect(why.get_by_role("row", name="Retry 2 failed…")).to_contain_text("It completes with 6 more successes.")

    why.get_by_role("link", name="Release 3 leases…").click()
    expect_fact(page, "Will be released", "3 items: k7, k8, k9")
    page.get_by_role("button", name="Release 3 items").click()
    expect_said(page, "vision-033: 3 released.")
    page.get_by_role("link", name="Retry 2 failed…").first.click()
    expect_fact(page, "Will be retried", "2 failed items: k5, k6")
    page.get_by_label("Reason").fill("Document AI answers again")
    page.get_by_role("button", name="Retry 2 items").click()
    expect_said(page, "vision-033: 2 retried.")

    expect_mode(page, "Live")
    mark_page(page)
    expect(bar_of(page, "vision-033")).to_have_attribute("aria-valuenow", "41")
    items = worker.claim(job, 100)
    assert {item["key"] for item in items} == {f"k{n}" for n in range(5, 12)}
    worker.finish(job, items[:3])
    expect(bar_of(page, "vision-033")).to_have_attribute("aria-valuenow", "66")
    expect(page.get_by_role("region", name="Why stuck")).to_be_hidden()
    worker.finish(job, items[3:])
    expect(bar_of(page, "vision-033")).to_have_attribute("aria-valuenow", "100")
    expect(page.get_by_role("status")).to_have_text("vision-033 completed")
    expect(page.get_by_role("listitem").filter(has_text="operator.retry")).to_contain_text("Document AI answers again")
    expect_mode(page, "Done")
    assert_not_reloaded(page)
    assert Event.objects.filter(type="job.completed").count() == 1
    assert complaints == []
