"""Times as operators read them: in their own zone, with UTC on hover."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from jobs import tracking
from jobs.models import Event, Item, Job
from tests.e2e.conftest import PASSWORD, Server
from tests.factories import WORKER, make_job, phase_of

pytestmark = pytest.mark.e2e

TOKYO = ZoneInfo("Asia/Tokyo")


def page_in(zone: str, chromium: Browser, server: Server, user: User, **options: object) -> Page:
    """A signed-in page whose browser is in this time zone."""
    context = chromium.new_context(base_url=server.url, timezone_id=zone, **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


def failed_at(job: Job, moment: datetime) -> None:
    """Let the job's failure, and all of its timeline, have happened then."""
    Item.objects.filter(phase__job=job).update(finished_at=moment)
    Event.objects.filter(job=job).update(at=moment)


@pytest.mark.parametrize(("zone", "name"), [("Asia/Tokyo", r"GMT\+9"), ("America/New_York", "E[SD]T")])
def test_times_are_those_of_the_operator_with_utc_on_hover(
    chromium: Browser, server: Server, lead: User, zone: str, name: str
) -> None:
    job = make_job(items=3, failed=1)
    moment = timezone.now().replace(microsecond=0)
    failed_at(job, moment)
    page = page_in(zone, chromium, server, lead)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    here = f"{moment.astimezone(ZoneInfo(zone)):%H:%M:%S}"
    shown = page.locator(f"time[datetime='{moment.isoformat()}'][data-clock]")
    expect(shown.first).to_have_text(here)
    title = shown.first.get_attribute("title") or ""
    assert title.startswith(f"{moment:%Y-%m-%d %H:%M:%S} UTC\n")
    assert re.search(rf"{here} {name}$", title)
    expect(page.locator("[data-zone]")).to_have_text(re.compile(f"^{name}$"))


def test_what_was_on_another_day_of_the_operator_says_its_date(chromium: Browser, server: Server, lead: User) -> None:
    job = make_job(items=3, failed=1)
    today = timezone.now().astimezone(TOKYO).replace(hour=0, minute=0, second=5, microsecond=0)
    moment = (today - timedelta(seconds=10)).astimezone(UTC)
    failed_at(job, moment)
    page = page_in("Asia/Tokyo", chromium, server, lead)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    shown = page.locator(f"time[datetime='{moment.isoformat()}'][data-clock]").first
    expect(shown).to_have_text(f"{moment.astimezone(TOKYO):%d %b %H:%M}")


def test_a_list_that_is_asked_for_again_keeps_its_times(chromium: Browser, server: Server, lead: User) -> None:
    job = make_job(items=3, failed=1)
    page = page_in("Asia/Tokyo", chromium, server, lead)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    page.locator("#badge[data-mode=live]").wait_for()
    page.evaluate(
        """window.texts = new Set();
        new MutationObserver(() => {
          for (const time of document.querySelectorAll("[data-section] time[data-clock]")) texts.add(time.textContent);
        }).observe(document.body, { subtree: true, childList: true, characterData: true })"""
    )
    results = [tracking.Result("k1", "failed", error="no such page")]
    tracking.report(phase_of(job), worker="w1", results=results, by=WORKER)
    expect(page.get_by_text("no such page").first).to_be_visible()
    texts = page.evaluate("[...window.texts]")
    assert texts
    assert [text for text in texts if "UTC" in text] == []


def test_without_scripts_the_times_say_that_they_are_utc(chromium: Browser, server: Server, lead: User) -> None:
    job = make_job(items=3, failed=1)
    moment = timezone.now().replace(microsecond=0)
    failed_at(job, moment)
    page = page_in("Asia/Tokyo", chromium, server, lead, java_script_enabled=False)
    page.goto(f"/admin/jobs/job/{job.pk}/")
    shown = page.locator(f"time[datetime='{moment.isoformat()}'][data-clock]")
    expect(shown.first).to_have_text(f"{moment:%H:%M:%S} UTC")
