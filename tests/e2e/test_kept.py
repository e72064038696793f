"""Small mercies: nothing that an operator has typed, selected or followed is lost without need."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import BrowserContext, Page, expect

from jobs.models import Job
from tests.e2e.conftest import PASSWORD
from tests.e2e.story_helpers import fail
from tests.e2e.test_live_pages import assert_not_reloaded, expect_mode, mark_page
from tests.factories import complete, make_job, phase_of

pytestmark = pytest.mark.e2e
ERROR = "Document AI timeout after 30 s"


def sign_in_again(page: Page) -> None:
    """Fill in the form of the sign-in."""
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_typed_reason_outlives_the_session_and_is_forgotten_after_the_act(page: Page, complaints: Any) -> None:
    job = make_job(name="vision-033", items=12, done=5)
    page.goto(f"/admin/jobs/job/act/pause/?job={job.pk}")
    page.get_by_label("Reason").fill("The customer moves the bucket")
    Session.objects.all().delete()
    page.get_by_role("button", name="Pause").click()
    sign_in_again(page)
    expect(page.get_by_label("Reason")).to_have_value("The customer moves the bucket")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="vision-033")).to_be_visible()
    assert Job.objects.get().status == "paused"
    page.goto(f"/admin/jobs/job/act/resume/?job={job.pk}")
    expect(page.get_by_label("Reason")).to_have_value("")
    assert complaints == []


def test_a_link_to_the_items_leads_there_after_a_sign_in(page: Page, complaints: Any) -> None:
    job = make_job(name="frames", items=6, failed=3)
    Session.objects.all().delete()
    page.goto(f"/admin/jobs/job/{job.pk}/?status=failed#items")
    sign_in_again(page)
    page.wait_for_url(f"**/admin/jobs/job/{job.pk}/?status=failed#items")
    expect(page.locator("#items")).to_be_in_viewport()
    assert complaints == []


def test_selected_text_stays_selected_while_the_overview_changes(page: Page) -> None:
    job = make_job(name="select-me", items=10, done=2)
    page.reload()
    expect_mode(page, "Live")
    mark_page(page)
    page.get_by_role("link", name="select-me").first.evaluate("link => getSelection().selectAllChildren(link)")
    complete(phase_of(job), 3, start=2)
    make_job(name="comes-later", items=2, done=1)
    expect(page.get_by_role("button", name="press r")).to_be_visible()
    assert page.evaluate("String(getSelection())") == "select-me"
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("[data-section=running]")).to_contain_text("comes-later")
    assert_not_reloaded(page)


def test_a_live_page_loads_only_what_changed(page: Page) -> None:
    job = make_job(name="moves", items=10, done=2)
    page.reload()
    expect_mode(page, "Live")
    with page.expect_response(lambda response: "x-sections" in response.headers):
        make_job(name="second", items=2, done=1)
    with page.expect_response(lambda response: "x-sections" in response.headers) as later:
        make_job(name="third", items=2, done=1)
    text = later.value.text()
    assert 'data-section="running"' in text
    assert 'data-section="workers"' not in text
    expect(page.locator("[data-section=running]")).to_contain_text("third")
    expect(page.locator(f"[data-job='{job.pk}']").first).to_contain_text("moves")


def test_an_error_is_copied_from_a_section_that_was_replaced(
    page: Page, context: BrowserContext, complaints: Any
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    job = make_job(name="frames", items=6)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect_mode(page, "Live")
    fail(job, {"k0": ERROR})
    page.get_by_role("button", name="Copy the error").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == ERROR
    assert complaints == []
