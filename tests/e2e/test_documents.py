"""The document page while chunks are read and merged."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs import operations
from jobs.models import Job
from tests.e2e.rules import findings, findings_of
from tests.e2e.story_helpers import retry_of
from tests.e2e.test_live_pages import assert_not_reloaded, expect_mode, mark_page
from tests.factories import item_of
from tests.ocr_chunks.pages.papers import CHUNKS, LIST, address, make_document, tell, tell_merge

pytestmark = pytest.mark.e2e

TEN = range(1, 11)
ALL = range(1, 18)


def cell(page: Page, number: int) -> Locator:
    """The cell of this chunk."""
    return page.locator("[data-grid] a").nth(number - 1)


def open_document(page: Page, job: Job) -> None:
    """Its page, with a mark that a reload would take away."""
    page.goto(address(job))
    expect_mode(page, "Live")
    mark_page(page)


def test_a_chunk_fails_is_retried_by_keyboard_and_the_document_is_merged(page: Page, complaints: Any) -> None:
    job = make_document(name="contract-4711.pdf", done=TEN)
    open_document(page, job)
    tell(job, [12], "failed", error="Document AI timeout")
    expect(cell(page, 12)).to_have_accessible_name("Failed, chunk 12, pages 276 to 300")
    expect(page.locator("[data-section=head]")).to_contain_text("10 of 17 chunks, 1 failed")
    expect(page.locator("[data-section=merge]")).to_contain_text("waiting for 7 chunks, 1 of them failed")
    assert_not_reloaded(page)

    retry_of(page, 12).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 failed item: Chunk 12 (pages 276-300)")).to_be_visible()
    page.get_by_label("Reason").focus()
    page.keyboard.type("the service is back")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Retry 1 item")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("contract-4711.pdf: 1 retried.")).to_be_visible()
    expect(cell(page, 12)).to_have_accessible_name("Pending, chunk 12, pages 276 to 300")
    expect_mode(page, "Live")
    mark_page(page)

    tell(job, ALL, "completed")
    expect(cell(page, 12)).to_have_accessible_name("Completed, chunk 12, pages 276 to 300")
    expect(page.locator("[data-section=merge]")).to_contain_text("all chunks are done; waiting for a worker")
    tell_merge(job, "processing")
    expect(page.locator("[data-section=merge]")).to_contain_text("merging since")
    tell_merge(job, "completed", path="/texts/contract-4711.txt")
    expect(page.locator("[data-section=merge]")).to_contain_text("merged: /texts/contract-4711.txt")
    expect(page.get_by_role("progressbar", name="Merge of the chunks")).to_have_attribute("aria-valuenow", "100")
    expect(page.locator(".head-line .pill")).to_have_text("Completed")
    expect_mode(page, "Done")
    assert_not_reloaded(page)
    assert complaints == []


def test_who_walks_the_grid_keeps_the_place_while_it_changes(page: Page, complaints: Any) -> None:
    job = make_document(done=TEN)
    open_document(page, job)
    cell(page, 1).focus()
    for key, number in [("ArrowRight", 2), ("ArrowRight", 3), ("End", 17), ("Home", 1), ("ArrowLeft", 1)]:
        page.keyboard.press(key)
        expect(cell(page, number)).to_be_focused()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    tell(job, [11, 12], "failed", error="no text")
    expect(cell(page, 11)).to_have_class("cell failed")
    tell(job, [5, 13], "completed")
    expect(cell(page, 13)).to_have_class("cell completed")
    expect(cell(page, 5)).to_be_focused()
    expect(page.get_by_role("button", name="press r")).to_be_hidden()
    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")
    expect(cell(page, 6)).to_be_focused()
    assert page.locator("[data-grid] a:not([tabindex='-1'])").count() == 1
    assert_not_reloaded(page)
    assert complaints == []


def test_many_chunks_are_walked_by_row_and_by_page(page: Page) -> None:
    job = make_document(pages=1000, pages_per_chunk=1)
    open_document(page, job)
    columns = page.locator("[data-grid] a").evaluate_all(
        "cells => cells.findIndex(cell => cell.offsetTop !== cells[0].offsetTop)"
    )
    expect(cell(page, 3)).to_have_accessible_name("Pending, chunk 3, page 3")
    cell(page, 3).focus()
    last_row = (1000 - 3) // columns * columns + 3
    moves = [
        ("ArrowDown", 3 + columns),
        ("PageDown", 3 + 6 * columns),
        ("PageUp", 3 + columns),
        ("PageUp", 3),
        ("ArrowUp", 3),
        ("End", 1000),
        ("ArrowRight", 1000),
        ("PageDown", 1000),
        ("Home", 1),
    ]
    for key, number in moves:
        page.keyboard.press(key)
        expect(cell(page, number)).to_be_focused()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    for _ in range(1000 // (5 * columns) + 1):
        page.keyboard.press("PageDown")
    expect(cell(page, last_row)).to_be_focused()


def test_the_tab_key_enters_the_grid_once_and_leaves_it(page: Page) -> None:
    job = make_document(failed=[5])
    open_document(page, job)
    cell(page, 1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(retry_of(page, 5)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(cell(page, 2)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/jobs/item/{item_of(job, '1').pk}/change/")


def make_every_state() -> list[Job]:
    """A document in each state that its page shows."""
    pending, running = make_document(), make_document(project="m-7", done=TEN, failed=[11, 12], held=[13])
    ready, merging, merged, broken = (make_document(done=ALL) for _ in range(4))
    tell_merge(merging, "processing")
    tell_merge(merged, "completed", path="/texts/" + "a-long-name-" * 12)
    tell_merge(broken, "failed", error="disk full")
    failed = make_document(done=range(1, 15), failed=[15, 16, 17])
    cancelled, paused = make_document(done=TEN), make_document(done=TEN)
    operations.cancel(cancelled, actor=None)
    operations.pause(paused, actor=None)
    small = make_document(pages=450, pages_per_chunk=1, done=range(1, 200), failed=range(210, 240), held=[300])
    return [pending, running, ready, merging, merged, broken, failed, cancelled, paused, small]


@pytest.mark.full
def test_pages_of_documents_break_no_rule(page: Page, complaints: Any) -> None:
    empty = findings(page, LIST) + findings(page, CHUNKS)
    jobs = make_every_state()
    places = [*map(address, jobs), f"{LIST}?status=all", f"{LIST}?project=m-7", f"{CHUNKS}?status=failed"]
    assert empty + findings_of(page, places) == []
    assert complaints == []


def test_without_scripts_the_grid_leads_to_the_items(chromium: Any, server: Any, context: Any, page: Page) -> None:
    job = make_document(done=TEN, failed=[11])
    still = chromium.new_context(base_url=server.url, java_script_enabled=False, storage_state=context.storage_state())
    other = still.new_page()
    other.goto(address(job))
    expect(cell(other, 11)).to_have_accessible_name("Failed, chunk 11, pages 251 to 275")
    retry_of(other, 11).click()
    expect(other.get_by_text("1 failed item: Chunk 11 (pages 251-275)")).to_be_visible()
    other.get_by_role("button", name="Retry 1 item").click()
    expect(other.get_by_text("1 retried.")).to_be_visible()
    still.close()
