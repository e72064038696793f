"""Missing permissions: buttons give the reason, and forged requests change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Job
from tests.e2e.story_helpers import expect_said, open_more
from tests.factories import make_job

pytestmark = pytest.mark.e2e
ACTS = ("retry", "release", "pause", "threshold", "restart", "force-complete", "fail", "cancel")


def forge(page: Page, job: Job, act: str) -> int:
    """The status of the answer to a form that this page does not have."""
    address = f"{page.url.partition('/admin')[0]}/admin/jobs/job/{job.pk}/{act}/"
    secret = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    form: dict[str, Any] = {"csrfmiddlewaretoken": secret, "revision": job.revision, "reason": "mine", "name": job.name}
    form |= {"phase": "items", "threshold": 1}
    return page.request.post(address, form=form, headers={"Referer": page.url}, max_redirects=0).status


def test_a_viewer_is_told_why_not_and_forging_changes_nothing(as_role: Callable[[str], Page]) -> None:
    job = make_job(name="vision-033", items=12, done=5, failed=2)
    page = as_role("viewer")
    page.goto(f"/admin/jobs/job/{job.pk}/")
    expect(page.get_by_text("View only. Ask an administrator for the role operator.").first).to_be_visible()
    for act in ACTS:
        assert forge(page, job, act) == 403, act
    expect(page.get_by_role("link", name="Retry these 2…")).to_be_disabled()
    assert page.get_by_role("main").get_by_role("button", name="Retry").count() == 0
    assert Job.objects.get().revision == job.revision
    assert not job.events.filter(type__startswith="operator").exists()


def test_an_operator_retries_and_may_not_force_complete(as_role: Callable[[str], Page], complaints: Any) -> None:
    job = make_job(name="vision-033", items=12, done=5, failed=2)
    page = as_role("operator")
    page.goto(f"/admin/jobs/job/{job.pk}/")
    acts = open_more(page)
    acts.get_by_text("Why not the others?").click()
    line = acts.get_by_role("listitem").filter(has=page.get_by_role("link", name="Force-complete…"))
    expect(line).to_contain_text("Your role does not allow these. Ask an administrator for the role lead.")
    expect(line.get_by_role("link", name="Force-complete…")).to_be_disabled()
    assert forge(page, job, "force-complete") == 403
    assert Job.objects.get().revision == job.revision
    page.get_by_role("link", name="Retry 2 failed…").first.click()
    page.get_by_role("button", name="Retry 2 items").click()
    expect_said(page, "vision-033: 2 retried.")
    assert job.events.filter(type="operator.retry").count() == 1
    assert complaints == []
