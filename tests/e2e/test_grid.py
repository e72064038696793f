"""Selecting items in the grid of a page, by pointer and by keyboard, while the page changes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.rules import broken
from tests.e2e.test_live_pages import assert_not_reloaded, expect_mode, mark_page
from tests.factories import item_of, make_job, phase_of, settle
from tests.ocr_chunks.pages.papers import address, make_document, tell

pytestmark = pytest.mark.e2e


def cell(page: Page, number: int) -> Locator:
    """The cell of this item, counted from one."""
    return page.locator("[data-grid] a").nth(number - 1)


def selected(page: Page) -> list[int]:
    """The numbers of the selected cells."""
    marks = page.locator("[data-grid] a").evaluate_all(
        "cells => cells.map(cell => cell.getAttribute('aria-selected') === 'true')"
    )
    return [number for number, is_selected in enumerate(marks, 1) if is_selected]


def test_a_selection_by_keyboard_is_said_lives_through_changes_and_is_retried(page: Page, complaints: Any) -> None:
    job = make_job(name="grid", items=40, done=10, failed=6)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    mark_page(page)
    cell(page, 12).focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("1 selected")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_role("status")).to_have_text("3 selected")
    assert selected(page) == [12, 13, 14]
    settle(phase_of(job), ["failed"], start=20)
    expect(cell(page, 21)).to_have_class("cell failed")
    assert selected(page) == [12, 13, 14]
    expect(page.get_by_role("option", selected=True)).to_have_count(3)
    expect(cell(page, 14)).to_be_focused()
    assert_not_reloaded(page)
    assert broken(page) == []
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Retry selected…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 failed items: k11, k12, k13")).to_be_visible()
    page.get_by_role("button", name="Retry 3 items").click()
    expect(page.get_by_text("grid: 3 retried.")).to_be_visible()
    assert item_of(job, "k11").status == item_of(job, "k13").status == "pending"
    assert item_of(job, "k10").status == "failed"
    assert complaints == []


def test_a_selection_by_pointer_ticks_the_list_and_is_cleared(page: Page, complaints: Any) -> None:
    job = make_job(name="pointer", items=30, failed=5)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    cell(page, 2).click(modifiers=["ControlOrMeta"])
    expect(page.get_by_label("Select k1", exact=True)).to_be_checked()
    cell(page, 4).click(modifiers=["Shift"])
    assert selected(page) == [2, 3, 4]
    cell(page, 3).click()
    assert selected(page) == [2, 4]
    page.get_by_label("Select k4", exact=True).check()
    assert selected(page) == [2, 4, 5]
    page.keyboard.press("Escape")
    assert selected(page) == []
    expect(page.get_by_role("region", name="Selection")).to_be_hidden()
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_role("button", name="Select", exact=True)).to_have_attribute("aria-pressed", "true")
    cell(page, 1).click()
    page.keyboard.press("Control+a")
    expect(page.get_by_role("status")).to_have_text("30 selected")
    page.get_by_role("button", name="Clear").click()
    cell(page, 1).click()
    page.wait_for_url(f"**/admin/jobs/item/{item_of(job, 'k0').pk}/change/")
    assert complaints == []


def test_chunks_are_selected_alike_and_not_more_than_an_act_takes(page: Page) -> None:
    job = make_document(pages=450, pages_per_chunk=1, failed=range(3, 6))
    page.goto(address(job))
    expect_mode(page, "Live")
    cell(page, 3).focus()
    page.keyboard.press("Control+a")
    expect(page.get_by_role("status")).to_contain_text("Select at most 400 items")
    assert selected(page) == []
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == [3, 4]
    tell(job, [7], "failed", error="no text")
    expect(cell(page, 7)).to_have_accessible_name("Failed, chunk 7, page 7")
    expect(cell(page, 7)).to_have_class("cell failed")
    expect(page.locator("[data-section=chunk-counts]")).to_contain_text("4 failed")
    assert selected(page) == [3, 4]
    page.get_by_role("button", name="Retry selected…").click()
    expect(page.get_by_text("2 failed items: Chunk 3 (pages 3-3), Chunk 4 (pages 4-4)")).to_be_visible()
