"""Back from a confirmation: no row is ticked that the operator has not ticked."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from jobs.models import Item, Job
from tests.factories import make_job

pytestmark = pytest.mark.e2e


def ticked(page: Page) -> list[str]:
    """The values of the boxes that are ticked."""
    found: list[str] = page.eval_on_selector_all(
        "input[type=checkbox]:checked", "boxes => boxes.filter(box => box.name !== 'columns').map(box => box.value)"
    )
    return found


def test_after_back_to_a_list_of_jobs_no_other_row_is_ticked(page: Page, complaints: Any) -> None:
    jobs = [make_job(name=f"job-{n}", items=1) for n in range(3)]
    page.goto("/admin/jobs/job/")
    page.locator(f"input.action-select[value='{jobs[2].pk}']").check()
    page.get_by_role("button", name="Pause…").click()
    expect(page.get_by_label("Reason")).to_be_visible()
    Job.objects.filter(pk=jobs[0].pk).update(updated_at=timezone.now())  # it moves to the first place
    make_job(name="newer", items=1)
    page.go_back()
    expect(page.get_by_text("newer")).to_be_visible()
    assert ticked(page) == []
    assert complaints == []


def test_after_back_a_selection_of_all_is_forgotten_with_its_ticks(page: Page, complaints: Any) -> None:
    for n in range(54):
        make_job(name=f"job-{n}", items=1)
    page.goto("/admin/jobs/job/?o=2")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 54").click()
    page.get_by_role("button", name="Pause…").click()
    expect(page.get_by_label("Reason")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert ticked(page) == []
    assert page.locator("input[name=select_across]").input_value() == "0"
    assert complaints == []


def test_after_back_to_the_items_of_a_job_no_other_row_is_ticked(page: Page, complaints: Any) -> None:
    job = make_job(name="frames", items=6, failed=3)
    address = f"/admin/jobs/job/{job.pk}/?status=failed#items"
    page.goto(address)
    page.get_by_label("Select k1", exact=True).check()
    page.locator("button:visible", has_text="Retry selected").first.click()
    expect(page.get_by_role("button", name="Retry", exact=False).first).to_be_visible()
    Item.objects.filter(phase__job=job, key="k0").delete()  # the others move up
    page.go_back()
    expect(page.get_by_label("Select k2", exact=True)).to_be_visible()
    assert ticked(page) in ([], [str(Item.objects.get(phase__job=job, key="k1").pk)])
    assert complaints == []
