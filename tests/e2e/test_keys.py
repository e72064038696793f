"""The keys of the pages: the whole way without a mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from jobs import tracking
from tests.factories import WORKER, make_job, phase_of

pytestmark = pytest.mark.e2e


def test_letters_lead_from_page_to_page(page: Page) -> None:
    make_job(items=2)
    for letter, heading in (("j", "Jobs"), ("w", "Workers"), ("o", "Overview")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()


def test_rows_are_walked_ticked_and_opened(page: Page) -> None:
    for name in ("third", "second", "first"):
        make_job(name=name, items=2)
    page.goto("/admin/jobs/job/?o=2")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="first")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    second = page.get_by_role("row", name="second")
    expect(second.get_by_role("link", name="second")).to_be_focused()
    page.keyboard.press("x")
    expect(second.get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="second")).to_be_visible()


def test_the_list_of_keys_says_what_works_on_this_page(page: Page) -> None:
    page.goto("/admin/contracts/")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys of this page")
    expect(keys).to_contain_text("go to Workers")
    for absent in ("pause or resume", "select the row", "filter this page"):
        expect(keys).not_to_contain_text(absent)
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    make_job(items=2)
    page.goto("/admin/jobs/job/")
    page.get_by_role("button", name="Keys ?").click()
    for there in ("search everything", "filter this page", "select the row", "next row"):
        expect(keys).to_contain_text(there)
    expect(keys).not_to_contain_text("pause or resume")
    page.goto("/admin/")
    page.keyboard.press("?")
    expect(keys).to_contain_text("pause or resume")


def test_keys_are_letters_inside_a_field_and_escape_leads_out(page: Page) -> None:
    make_job(items=2)
    page.goto("/admin/jobs/job/")
    page.keyboard.press("f")
    field = page.locator("#searchbar")
    expect(field).to_be_focused()
    page.keyboard.type("gj?x")
    expect(field).to_have_value("gj?x")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()


def test_the_row_that_has_the_focus_keeps_it_when_its_list_is_shown_anew(page: Page) -> None:
    job = make_job(name="first", items=20)
    tracking.claim(phase_of(job), worker="w1", limit=1, by=WORKER)
    page.goto("/admin/")
    page.locator("#badge[data-mode=live]").wait_for()
    link = page.get_by_role("link", name="first")
    link.focus()
    other = make_job(name="second", items=20)
    tracking.claim(phase_of(other), worker="w1", limit=1, by=WORKER)
    expect(page.get_by_role("button", name="changed, press r")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_role("link", name="second")).to_be_visible()
    expect(link).to_be_focused()


def test_the_first_stop_leads_past_the_navigation(page: Page) -> None:
    page.goto("/admin/jobs/job/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
