"""A lead gives a link of the wall to a screen, which shows the site until the link is revoked."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.rules import findings
from tests.factories import complete, make_job, phase_of
from tests.servers import Server

pytestmark = pytest.mark.e2e


def test_a_screen_shows_the_wall_until_its_link_is_revoked(
    page: Page, chromium: Browser, server: Server, complaints: Any
) -> None:
    job = make_job(name="nightly", items=10, done=2)
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("link", name="Wall", exact=True).click()
    page.get_by_label("Label").fill("Office")
    page.get_by_role("button", name="Give out the link").click()
    address = page.locator("#secret").text_content()
    assert address

    screen = chromium.new_context(base_url=server.url).new_page()
    complaints.listen(screen)
    screen.goto(address)
    expect(screen.locator("[data-section=running]")).to_contain_text("nightly")
    expect(screen.get_by_role("progressbar", name="nightly")).to_have_attribute("aria-valuenow", "20")
    complete(phase_of(job), 3, start=2)
    expect(screen.get_by_role("progressbar", name="nightly")).to_have_attribute("aria-valuenow", "50")
    assert screen.get_by_role("link").count() == 0
    assert complaints == []

    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The link “Office” is revoked.")).to_be_visible()
    expect(screen.get_by_text("This link of the wall is not valid.")).to_be_visible()
    expect(screen.get_by_text("nightly")).to_have_count(0)
    screen.context.close()


def test_the_pages_of_the_wall_and_the_report_break_no_rule(page: Page) -> None:
    job = make_job(name="nightly", items=10, done=2, failed=1)
    for address in ("/admin/?wall", "/admin/wall-links/", f"/admin/jobs/job/{job.pk}/report/"):
        assert findings(page, address) == []


def test_pages_fit_a_screen_of_320_pixels(page: Page) -> None:
    job = make_job(name="with-a-long-name-" * 8, items=500, done=200, failed=9)
    page.set_viewport_size({"width": 320, "height": 700})
    paths = ("", "incidents/", "errors/", "activity/", "jobs/job/", "jobs/channel/", "wall-links/", "?wall")
    wide = []
    for address in (
        *(f"/admin/{path}" for path in paths),
        f"/admin/jobs/job/{job.pk}/",
        f"/admin/jobs/job/{job.pk}/report/",
    ):
        page.goto(address)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
    assert wide == []


def test_paper_has_no_navigation_and_is_black_on_white_also_in_dark(page: Page) -> None:
    job = make_job(name="nightly", items=10, done=2, failed=1)
    page.goto(f"/admin/jobs/job/{job.pk}/report/")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("#header")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('#content h1')).color") == "rgb(0, 0, 0)"


def test_the_overview_fits_one_screen(page: Page) -> None:
    for place in range(8):
        make_job(name=f"failed-{place}", items=2, done=1, failed=1, on_shortfall="fail", project=f"a-{place}")
    for place in range(12):
        make_job(name=f"running-{place}", items=9, done=2)
    page.set_viewport_size({"width": 1360, "height": 900})
    page.goto("/admin/")
    bottom = page.evaluate("document.querySelector('[data-section=running]').getBoundingClientRect().bottom")
    assert bottom <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    bottom = page.evaluate("document.querySelector('.columns').getBoundingClientRect().bottom + scrollY")
    assert bottom <= 3 * 844
