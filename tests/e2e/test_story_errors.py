"""One error in many jobs: found, looked at, and exactly it retried."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Item
from tests.e2e.story_helpers import expect_said, fail
from tests.factories import make_job

pytestmark = pytest.mark.e2e


def test_a_group_of_errors_is_retried_in_every_job_of_the_filter_and_nothing_else(page: Page, complaints: Any) -> None:
    first = make_job(name="ocr-1", items=5, project="matter-7")
    other = make_job(name="ocr-2", items=5, project="matter-7")
    elsewhere = make_job(name="ocr-3", items=5, project="matter-8")
    fail(first, {"k0": "Document AI timeout after 30 s", "k1": "Document AI timeout after 31 s", "k2": "no text"})
    fail(other, {"k0": "Document AI timeout after 32 s"}, worker="w-9")
    fail(elsewhere, {"k0": "Document AI timeout after 33 s"})

    page.get_by_role("link", name="Errors", exact=True).click()
    timeouts = page.get_by_role("listitem").filter(has_text="Document AI timeout")
    expect(timeouts).to_contain_text("4\u00d7")
    page.get_by_label("Project").fill("matter-7")
    page.get_by_role("button", name="Show").click()
    expect(timeouts).to_contain_text("3\u00d7")
    expect(timeouts).to_contain_text("w-7, w-9 in 2 jobs: ocr-1 (2), ocr-2 (1)")
    timeouts.get_by_role("link", name="Retry these 3 in 2 jobs…").click()
    expect(page.get_by_role("region", name="Jobs")).to_contain_text("ocr-1")
    expect(page.get_by_role("main")).not_to_contain_text("ocr-3")
    page.get_by_label("Reason").fill("Document AI answers again")
    page.get_by_role("button", name="Retry 2 jobs").click()

    expect_said(page, "3 items retried in 2 jobs.")
    expect(page.get_by_label("Project")).to_have_value("matter-7")
    expect(page.get_by_role("listitem").filter(has_text="Document AI timeout")).to_have_count(0)
    expect(page.get_by_text("no text").first).to_be_visible()
    left = Item.objects.failed().values_list("phase__job__name", "error")
    assert set(left) == {("ocr-1", "no text"), ("ocr-3", "Document AI timeout after 33 s")}
    assert complaints == []
