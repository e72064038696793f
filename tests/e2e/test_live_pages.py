"""Live pages while workers report and servers restart."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs import operations
from jobs.models import Job
from tests.factories import complete, make_job, phase_of, settle

pytestmark = pytest.mark.e2e


def bar_of(page: Page, name: str) -> Locator:
    """The first bar of this job or phase."""
    return page.get_by_role("progressbar", name=name).first


def mark_page(page: Page) -> None:
    """Leave a mark that a reload would take away."""
    page.evaluate("window.notReloaded = true")


def assert_not_reloaded(page: Page) -> None:
    """The mark is still there."""
    assert page.evaluate("window.notReloaded === true")


def expect_mode(page: Page, word: str) -> None:
    """The badge says this."""
    expect(page.locator("#badge")).to_contain_text(word)


def test_the_bar_of_a_running_job_moves_without_a_reload(page: Page, complaints: Any) -> None:
    job = make_job(name="moves", items=10, done=2)
    page.reload()
    expect_mode(page, "Live")
    mark_page(page)
    expect(bar_of(page, "moves")).to_have_attribute("aria-valuenow", "20")
    complete(phase_of(job), 3, start=2)
    expect(bar_of(page, "moves")).to_have_attribute("aria-valuenow", "50")
    expect(bar_of(page, "moves").locator(".done")).to_have_attribute("width", "50%")
    settle(phase_of(job), ["failed"], start=5)
    expect(bar_of(page, "moves").locator(".lost")).to_have_attribute("width", "10%")
    assert_not_reloaded(page)
    assert complaints == []


def test_a_new_job_appears_on_the_overview_and_moves_to_the_finished_ones(page: Page, complaints: Any) -> None:
    expect_mode(page, "Live")
    mark_page(page)
    job = make_job(name="comes-and-goes", items=2, done=1)
    expect(page.locator("[data-section=running]")).to_contain_text("comes-and-goes")
    complete(phase_of(job), 1, start=1)
    expect(page.locator("[data-section=finished]")).to_contain_text("comes-and-goes")
    expect(page.locator("[data-section=running]")).not_to_contain_text("comes-and-goes")
    expect(page.get_by_role("status")).to_have_text("comes-and-goes completed")
    assert_not_reloaded(page)
    assert complaints == []


def test_rows_wait_while_the_pointer_is_among_them(page: Page) -> None:
    make_job(name="first", items=2, done=1)
    page.reload()
    expect_mode(page, "Live")
    page.get_by_role("link", name="first").hover()
    make_job(name="second", items=2, done=1)
    expect(page.get_by_role("button", name="press r")).to_be_visible()
    assert "second" not in page.locator("[data-section=running]").inner_text()
    page.keyboard.press("r")
    expect(page.locator("[data-section=running]")).to_contain_text("second")
    expect(page.get_by_role("button", name="press r")).to_be_hidden()


def test_a_lost_server_is_said_and_its_return_brings_the_newest_figures(page: Page, server: Any) -> None:
    job = make_job(name="survives", items=10, done=2)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    mark_page(page)
    server.kill()
    expect_mode(page, "Reconnecting")
    expect(page.get_by_role("status")).to_have_text("Reconnecting")
    complete(phase_of(job), 5, start=2)
    server.start()
    expect(page.locator("#badge")).to_contain_text("Live", timeout=45_000)
    expect(bar_of(page, "survives")).to_have_attribute("aria-valuenow", "70")
    expect(page.locator("[data-section=timeline]")).to_be_visible()
    assert_not_reloaded(page)


def test_where_websockets_do_not_get_through_the_page_polls(page: Page) -> None:
    job = make_job(name="polled", items=10, done=2)
    page.route_web_socket("**/ws/**", lambda socket: socket.close())
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect(page.locator("#badge")).to_contain_text("Polling", timeout=45_000)
    complete(phase_of(job), 5, start=2)
    expect(bar_of(page, "polled")).to_have_attribute("aria-valuenow", "70")


def test_after_the_end_of_its_job_a_page_asks_for_nothing_more(page: Page, complaints: Any) -> None:
    job = make_job(name="ends", items=4, done=3)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    complete(phase_of(job), 1, start=3)
    expect_mode(page, "Done")
    expect(page.locator("[data-section=acts]")).to_contain_text("It has completed")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.wait_for_timeout(6000)
    assert asked == []
    assert complaints == []


def test_a_ticked_item_is_retried_and_a_tick_holds_its_list_still(page: Page) -> None:
    job = make_job(name="ticks", items=6, done=1, failed=2)
    page.goto(f"/admin/jobs/job/{job.pk}/?status=failed")
    expect_mode(page, "Live")
    page.get_by_label("Select k1").check()
    settle(phase_of(job), ["failed"], start=3)
    expect(page.get_by_role("button", name="press r")).to_be_visible()
    expect(page.get_by_label("Select k1")).to_be_checked()
    page.get_by_role("button", name="Retry selected…").click()
    page.get_by_role("button", name="Retry 1 item").click()
    expect(page.get_by_text("ticks: 1 retried.")).to_be_visible()
    assert page.url.endswith(f"/admin/jobs/job/{job.pk}/?status=failed")


def test_keys_search_pause_and_explain(page: Page) -> None:
    job = make_job(name="keys", items=10, done=1)
    page.reload()
    expect_mode(page, "Live")
    page.keyboard.press("f")
    expect(page.get_by_label("Part of a name")).to_be_focused()
    page.keyboard.type("p?")
    expect(page.get_by_label("Part of a name")).to_have_value("p?")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect_mode(page, "Paused")
    complete(phase_of(job), 4, start=1)
    page.wait_for_timeout(1500)
    expect(bar_of(page, "keys")).to_have_attribute("aria-valuenow", "10")
    page.keyboard.press("p")
    expect(bar_of(page, "keys")).to_have_attribute("aria-valuenow", "50")


def test_who_is_signed_out_is_told(page: Page, context: Any) -> None:
    job = make_job(name="secret", items=10, done=1)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    context.clear_cookies()
    complete(phase_of(job), 1, start=1)
    expect(page.locator("#badge")).to_contain_text("Signed out", timeout=45_000)


def test_a_paused_job_shows_it_at_once(page: Page) -> None:
    job = make_job(name="sleeps", items=10, done=1)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    operations.pause(Job.objects.get(pk=job.pk), actor=None)
    expect(page.locator(".head-line .pill")).to_have_text("Paused")
    expect(page.locator("[data-section=acts]")).to_contain_text("Resume…")


def test_without_scripts_the_page_shows_the_same_and_loads_itself_again(
    chromium: Any, server: Any, context: Any, page: Page
) -> None:
    make_job(name="plain", items=10, done=2)
    still = chromium.new_context(base_url=server.url, java_script_enabled=False, storage_state=context.storage_state())
    other = still.new_page()
    other.goto("/admin/")
    expect(bar_of(other, "plain")).to_have_attribute("aria-valuenow", "20")
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in other.content()
    still.close()
