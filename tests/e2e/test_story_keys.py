"""From the form of signing in to a chunk that is retried, without a mouse."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import PASSWORD
from tests.e2e.story_helpers import expect_said
from tests.e2e.test_live_pages import expect_mode
from tests.ocr_chunks.pages.papers import make_document

pytestmark = pytest.mark.e2e
STEPS = 80


def press_tab_until(page: Page, role: Any, name: str) -> None:
    """Walk on with the tab key until this has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True)
    for _ in range(STEPS):
        page.keyboard.press("Tab")
        if wanted.evaluate_all("found => found.includes(document.activeElement)"):
            return
    raise AssertionError(f"the tab key does not lead to {name}")


def test_from_signing_in_to_a_retried_chunk_by_the_keyboard(
    context: BrowserContext, lead: Any, complaints: Any
) -> None:
    job = make_document(name="contract-4711.pdf", done=range(1, 5), failed=[5])
    page = context.new_page()
    complaints.listen(page)
    page.goto("/admin/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(lead.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys of this page")).to_contain_text("go to Documents")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="Documents", level=1)).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="contract-4711.pdf")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="contract-4711.pdf")).to_be_visible()
    expect_mode(page, "Live")
    press_tab_until(page, "link", "Retry this one…")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 failed item: Chunk 5 (pages 101-125)")).to_be_visible()
    press_tab_until(page, "textbox", "Reason")
    page.keyboard.type("the page was mended")
    press_tab_until(page, "button", "Retry 1 item")
    page.keyboard.press("Enter")
    expect_said(page, "contract-4711.pdf: 1 retried.")
    job.refresh_from_db()
    assert job.events.get(type="operator.retry").reason == "the page was mended"
    assert complaints == []
