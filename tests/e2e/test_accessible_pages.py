"""Every page for everybody: rules of accessibility, of the content policy, and of small screens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from knox.models import AuthToken
from playwright.sync_api import Page

from jobs import operations, tracking, watchdog
from jobs.api import tokens
from jobs.models import BulkAct, Job, Worker
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from jobs.rules.pipelines import PhaseSpec
from tests.e2e.rules import SMALL, broken, findings, findings_of, show
from tests.factories import WORKER, item_of, make_job, phase_of
from tests.hostile_data import hostile_channel, open_hostile_incidents

pytestmark = pytest.mark.e2e


def make_every_state() -> dict[str, Job]:
    """A job in each state, with failures, leases and totals that are unknown."""
    jobs = {"stuck": make_job(name="stuck", items=120, done=44, failed=3, threshold=90)}
    watchdog.find_stuck(timezone.now() + timedelta(hours=1))
    jobs["failed"] = make_job(name="failed", items=17, done=14, failed=3, on_shortfall="fail", project="matter-1")
    jobs["running"] = make_job(name="running-" + "with-a-long-name-" * 8, items=500, done=200, failed=9)
    tracking.claim(phase_of(jobs["running"]), worker="w-1", limit=20, by=WORKER)
    jobs["counted"] = make_job(name="counted", phases=[PhaseSpec(code="clustering")])
    tracking.count(phase_of(jobs["counted"]), done=3, event_id=uuid4(), by=WORKER)
    jobs["paused"] = make_job(name="paused", items=5, done=1)
    operations.pause(jobs["paused"], actor=None, reason="asked to")
    jobs["pending"] = make_job(name="pending", items=5)
    jobs["partial"] = make_job(name="partial", items=5, done=3, failed=2)
    jobs["completed"] = make_job(name="completed", items=2, done=2)
    jobs["cancelled"] = make_job(name="cancelled", items=5, done=1)
    operations.cancel(jobs["cancelled"], actor=None)
    return jobs


def addresses(jobs: dict[str, Job]) -> list[str]:
    """Every page that there is."""
    job = "/admin/jobs/job/"
    pages = [f"{job}{jobs[name].pk}/" for name in ("stuck", "failed", "running", "counted", "completed")]
    acts = ("force-complete", "retry", "release", "threshold", "restart", "pause", "cancel")
    pages += [f"{job}{jobs['stuck'].pk}/{act}/" for act in acts]
    pages += [f"{job}act/cancel/?job={jobs['stuck'].pk}&job={jobs['partial'].pk}", f"{job}999999/"]
    pages += [f"{job}{jobs['running'].pk}/badge/", f"{job}{jobs['running'].pk}/?status=failed&worker=w1"]
    pages += [f"/admin/jobs/item/{item_of(jobs[name], 'k0').pk}/change/" for name in ("completed", "running")]
    pages += [f"/admin/jobs/{model}/" for model in ("phase", "item", "event", "worker")]
    pages += [f"{job}act/retry/?match=jobs_job&query=status%3Dall", f"{job}act/pause/?match=nonsense"]
    pages += [*bulk_acts(jobs), "/admin/jobs/bulkact/"]
    pages += ["/admin/errors/", "/admin/errors/?since=1h&kind=ocr"]
    pages += [
        "/admin/activity/",
        "/admin/search/?q=stuck",
        f"/admin/compare/?job={jobs['stuck'].pk}&job={jobs['failed'].pk}",
    ]
    pages += ["/admin/incidents/", *(f"/admin/incidents/{pk}/" for pk in open_hostile_incidents([*jobs.values()]))]
    pages += ["/admin/jobs/channel/", f"/admin/jobs/channel/{hostile_channel('store').pk}/"]
    return ["/admin/", *pages, f"{job}?status=all", "/admin/knox/authtoken/", *_tokens()]


def _tokens() -> list[str]:
    """The pages about one token, and that of a worker."""
    tokens.issue("ocr-1", projects=["a"], days=30)
    which = f"token={AuthToken.objects.values_list('digest', flat=True)[0][:12]}"
    asking = [f"/admin/tokens/{act}/?{which}" for act in ("rotate", "revoke")]
    return ["/admin/tokens/issue/", *asking, Worker.objects.get(name="w-1").get_absolute_url()]


def bulk_acts(jobs: dict[str, Job]) -> list[str]:
    """The pages of a bulk act that was stopped in the middle, and of one with refusals that is over."""
    account = User.objects.get(username="olga")
    acts = []
    for seconds in (0, 60):
        marks = [
            TargetSelection(figures.job, bulk.expected_state(figures).states)
            for figures in snapshots_of(list(jobs.values()))
        ]
        acts.append(
            bulk.create_bulk_act(ActRequest(ACTS["retry"], Scope(), "asked to"), marks, actor=account, words="all jobs")
        )
        bulk.run_bulk_act(acts[-1], seconds=seconds)
        BulkAct.objects.running().update(status="stopped", ended_by="olga", finished_at=timezone.now())
    return [act.get_absolute_url() for act in acts]


def complained(complaints: Any) -> list[str]:
    """Complaints but for the page that is not there."""
    return [text for text in complaints if "404" not in text]


@pytest.mark.full
def test_pages_break_no_rule(page: Page, complaints: Any) -> None:
    assert findings_of(page, addresses(make_every_state())) == []
    assert complained(complaints) == []


def test_the_api_page_breaks_no_rule_and_follows_the_theme(page: Page, complaints: Any) -> None:
    page.goto("/api/v1/docs")
    page.locator("#operations-jobs-createJob button.opblock-summary-control").click()
    page.locator("#operations-jobs-createJob .responses-table").first.wait_for()
    looks: set[str] = set()
    assert broken(page, looks) == []
    show(page, "dark", SMALL)
    assert broken(page, looks) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(28, 32, 34)"
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert page.evaluate(ground) == "rgb(250, 250, 250)"
    assert complaints == []


def test_the_first_run_breaks_no_rule(page: Page, complaints: Any) -> None:
    assert findings(page, "/admin/") == []
    assert complained(complaints) == []


def test_the_pages_before_and_after_signing_in_break_no_rule(page: Page) -> None:
    assert [findings(page, f"/admin/{path}") for path in ("nothing/", "password_change/")] == [[], []]
    page.goto("/admin/contracts/")
    page.get_by_role("button", name="Keys ?").click()
    assert broken_in_both(page) == []
    page.keyboard.press("Escape")
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out").wait_for()
    assert broken_in_both(page) == []
    assert findings(page, "/admin/login/") == []
    for _ in range(10):
        page.goto("/admin/login/")
        page.get_by_label("Username").fill("unknown")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Too many wrong passwords").wait_for()
    assert broken_in_both(page) == []


def broken_in_both(page: Page) -> list[str]:
    """The rules that the page breaks on a small screen as it stands, in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        show(page, scheme, SMALL)
        found += broken(page)
    return found


def test_what_a_worker_writes_does_nothing_in_a_browser(page: Page, complaints: Any) -> None:
    evil = '"><img src=x onerror="window.owned = true"><script>window.owned = true</script>'
    job = make_job(name=evil, project=evil, items=3, done=1)
    results = [tracking.Result("k1", "failed", error=evil)]
    tracking.report(phase_of(job), worker="w1", results=results, by=WORKER)
    for address in ("/admin/", f"/admin/jobs/job/{job.pk}/", f"/admin/?project={quote(evil)}", "/admin/errors/"):
        page.goto(address)
        page.locator("#badge[data-mode=live]").wait_for()
        results = [tracking.Result("k2", "processing")]
        tracking.report(phase_of(job), worker=evil[:100], results=results, by=WORKER)
        page.wait_for_timeout(1500)
        assert page.evaluate("window.owned") is None
    assert complained(complaints) == []
