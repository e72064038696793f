"""Lists and the global search by keyboard, on a phone, and with saved views."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.rules import SMALL, broken
from tests.e2e.story_helpers import expect_said
from tests.factories import make_job

pytestmark = pytest.mark.e2e
LIST = "/admin/jobs/job/"


def test_a_job_is_found_and_opened_without_a_mouse(page: Page, complaints: Any) -> None:
    make_job(name="needle-1", items=2)
    make_job(name="needle-2", items=2)
    page.goto("/admin/errors/")
    page.keyboard.press("/")
    dialog = page.get_by_role("dialog", name="Search")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("needle")
    expect(dialog.get_by_role("link", name="needle-2")).to_be_visible()
    assert broken(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("link", name="needle-2")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="needle-2")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("pause needle-1")
    expect(dialog.get_by_role("link", name="Pause needle-1…")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert complaints == []


def test_enter_opens_the_first_result_of_what_is_typed(page: Page) -> None:
    make_job(name="needle", items=2)
    page.keyboard.press("/")
    page.keyboard.type("needle")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="needle")).to_be_visible()


def test_without_scripts_the_search_the_menu_and_the_acts_work(page: Page, chromium: Any, server: Any) -> None:
    job = make_job(name="needle", items=2)
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto(LIST)
    plain.get_by_role("link", name="Search", exact=True).click()
    plain.get_by_role("searchbox").fill("needle")
    plain.get_by_role("button", name="Search").click()
    expect(plain.get_by_role("link", name="needle").first).to_be_visible()
    plain.get_by_text("Menu", exact=True).click()
    plain.get_by_role("link", name="Deliveries").click()
    expect(plain.get_by_role("heading", name="Deliveries")).to_be_visible()
    plain.goto(LIST)
    plain.locator(f"input.action-select[value='{job.pk}']").check()
    plain.get_by_role("button", name="Pause…").click()
    expect(plain.get_by_label("Reason")).to_be_visible()
    context.close()


def test_a_view_is_saved_and_opened_again(page: Page, complaints: Any) -> None:
    make_job(name="kept", items=2, project="matter-7")
    make_job(name="other", items=2)
    page.goto(LIST)
    page.keyboard.press("f")
    page.keyboard.type("project=matter-7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="other")).to_have_count(0)
    page.get_by_text("Save view", exact=True).first.click()
    page.get_by_label("Save these filters").fill("Matter 7")
    page.get_by_role("button", name="Save view").click()
    expect_said(page, "The view “Matter 7” is saved.")
    page.goto(LIST)
    page.get_by_role("link", name="Matter 7").click()
    expect(page.get_by_role("row", name="kept")).to_be_visible()
    expect(page.get_by_role("row", name="other")).to_have_count(0)
    assert complaints == []


def test_two_ticked_rows_are_compared_on_a_phone(page: Page, complaints: Any) -> None:
    for name in ("first-run", "second-run"):
        make_job(name=name, items=4, done=1, failed=1)
    page.set_viewport_size(SMALL)
    page.goto(f"{LIST}?status=all")
    bar = page.locator(".actions")
    expect(bar).to_be_hidden()
    for box in page.locator("input.action-select").all():
        box.check()
    expect(bar).to_be_in_viewport()
    expect(bar).to_contain_text("2 of 2 selected")
    assert broken(page) == []
    page.get_by_role("button", name="Compare two…").click()
    expect(page.get_by_role("heading", name="Compare two jobs")).to_be_visible()
    expect(page.get_by_role("link", name="second-run")).to_be_visible()
    assert broken(page) == []
    assert complaints == []


def test_the_menu_of_a_phone_leads_everywhere(page: Page) -> None:
    page.set_viewport_size(SMALL)
    page.goto(LIST)
    page.get_by_text("Menu", exact=True).click()
    assert broken(page) == []
    page.get_by_role("navigation", name="Menu").get_by_role("link", name="Workers").click()
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
