"""The confirmation page of an act, and the result of a confirmation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs import operations, tracking
from jobs.models import Item, Job
from jobs.operations.registry import ACTS
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, complete, item_of, make_job, outward, phase_of, settle
from tests.jobs.pages.test_overview import make_failed, make_stuck

GRAVE = {"threshold", "restart", "force-complete", "fail", "cancel"}


def asking(job: Job, slug: str, query: str = "") -> str:
    """Return the address of the confirmation page."""
    return f"/admin/jobs/job/{job.pk}/{slug}/{query}"


def facts(page: Any) -> dict[str, str]:
    """Return the lines of the page by their headings."""
    lines = [node for preview in page.root.find("dl", cls="preview") for node in preview.walk()]
    texts = [(node.tag, node.text) for node in lines if node.tag in ("dt", "dd")]
    return {what: said for (_, what), (_, said) in zip(texts[::2], texts[1::2], strict=True)}


# --- force-complete ----------------------------------------------------------------------------------


def test_force_complete_shows_figures_events_leases_and_that_there_is_no_way_back(lead: Any) -> None:
    job = make_job(name="twenty", items=20, done=12, threshold=90)
    tracking.claim(phase_of(job), worker="w-7", limit=2, by=WORKER)
    page = lead.open(asking(job, "force-complete"))
    assert f"as of revision {Job.objects.get().revision}" in page.text
    said = facts(page)
    assert said["Now"] == "Items: 12 of 20 done (60 %), 0 failed; completes at 90 % = 18"
    assert "items.completed once, with total_assets=20, processed_assets=12" in said["Will be sent"]
    assert "has_partial_completion=true, forced=true" in said["Will be sent"]
    assert "job.completed, once" in said["Will be sent"]
    assert said["Left behind"].startswith("Items: 8 items without an outcome and 0 failed stay undone")
    assert said["Leases revoked"] == "2 held items taken from w-7"
    assert said["Undo"].startswith("Not possible")


def test_what_was_shown_is_what_is_emitted(lead: Any) -> None:
    job = make_job(name="twenty", items=20, done=12, threshold=90)
    page = lead.confirm(asking(job, "force-complete"), reason="customer waits", name="twenty")
    assert page.messages == ["twenty: 1 phase force-completed."]
    [event] = outward(job, "items.completed")
    assert (event["total_assets"], event["processed_assets"], event["has_partial_completion"]) == (20, 12, True)
    assert event["forced"] is True
    assert LogEntry.objects.get().change_message.endswith("Reason: customer waits")
    assert job.events.filter(type="operator.force_complete", reason="customer waits", account=lead.account).exists()


def test_an_unknown_total_becomes_what_is_settled_and_says_so(lead: Any) -> None:
    job = make_job(name="open", phases=[PhaseSpec(code="frames")])
    tracking.report(phase_of(job), worker="w1", results=[tracking.Result("a", "completed")], by=WORKER)
    said = facts(lead.open(asking(job, "force-complete")))
    assert "the total was never announced; it becomes 1" in said["Left behind"]
    assert "total_assets=1, processed_assets=1, has_partial_completion=false" in said["Will be sent"]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"name": "twenty"}, "Enter a reason. It is kept in the timeline."),
        ({"reason": " ", "name": "twenty"}, "Enter a reason. It is kept in the timeline."),
        ({"reason": "r"}, "Type twenty to confirm."),
        ({"reason": "r", "name": "Twenty"}, "Type twenty exactly to confirm."),
        ({"reason": "r" * 2001, "name": "twenty"}, "at most 2000 characters"),
    ],
)
def test_without_reason_and_typed_name_nothing_is_done(lead: Any, answers: dict[str, str], sentence: str) -> None:
    job = make_job(name="twenty", items=20, done=12)
    page = lead.confirm(asking(job, "force-complete"), **answers)
    assert sentence in page.text
    assert not phase_of(job).forced


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Stra\u00dfe caf\u00e9", "Stra\u00dfe cafe\u0301"),  # a keyboard of macOS composes letters in another way
        ("cafe\u0301", "caf\u00e9"),
        ("two  blanks", "two blanks"),
        ("no\u00a0break", " no break "),
    ],
)
def test_a_typed_name_is_compared_as_it_looks(lead: Any, name: str, typed: str) -> None:
    job = make_job(name="renamed", items=2, done=1)
    Job.objects.filter(pk=job.pk).update(name=name)
    lead.confirm(asking(job, "force-complete"), reason="enough", name=typed)
    assert phase_of(job).forced


# --- changed since -----------------------------------------------------------------------------------


def test_a_grave_act_on_a_changed_job_is_asked_again_with_the_new_figures(lead: Any) -> None:
    job = make_job(name="moves", items=20, done=12, threshold=90)
    seen = lead.open(asking(job, "force-complete"))
    complete(phase_of(job), 1, start=12)
    again = lead.confirm(asking(job, "force-complete"), page=seen, reason="waits", name="moves")
    assert "moves has changed since this page was loaded." in again.messages[0]
    assert facts(again)["Now"].startswith("Items: 13 of 20 done")
    assert not phase_of(job).forced
    assert "waits" in again.source


def test_a_job_that_goes_on_working_can_be_confirmed_the_second_time(lead: Any) -> None:
    job = make_job(name="moves", items=20, done=12, threshold=90)
    seen = lead.open(asking(job, "cancel"))
    complete(phase_of(job), 1, start=12)
    again = lead.confirm(asking(job, "cancel"), page=seen, reason="wrong folder")
    complete(phase_of(job), 1, start=13)
    done = lead.confirm(asking(job, "cancel"), page=again, reason="wrong folder")
    assert done.messages == ["moves: Job moves is cancelled."]


def test_another_state_holds_it_up_every_time(lead: Any) -> None:
    job = make_job(name="moves", items=20, done=12, threshold=90)
    seen = lead.open(asking(job, "cancel"))
    complete(phase_of(job), 1, start=12)
    again = lead.confirm(asking(job, "cancel"), page=seen, reason="r")
    operations.pause(job, actor=None)
    third = lead.confirm(asking(job, "cancel"), page=again, reason="r")
    assert "moves has changed since this page was loaded." in third.messages[0]
    assert Job.objects.get().status == "paused"


def test_a_harmless_act_is_not_held_up_by_progress(lead: Any) -> None:
    job = make_job(name="moves", items=20, done=2, failed=3)
    seen = lead.open(asking(job, "retry"))
    complete(phase_of(job), 1, start=12)
    page = lead.confirm(asking(job, "retry"), page=seen)
    assert page.messages == ["moves: 3 retried."]


@pytest.mark.parametrize("shown", ["", "x", "a:b:c", "of another act", "of another job", "of another account"])
def test_an_answer_to_a_page_that_was_not_shown_is_asked_again(lead: Any, browser: Any, shown: str) -> None:
    job = make_job(name="moves", items=3, done=1)
    others = {
        "of another act": (lead, job, "fail"),
        "of another job": (lead, make_job(items=1), "pause"),
        "of another account": (browser("lead"), job, "pause"),
    }
    if shown in others:
        account, other, slug = others[shown]
        shown = account.open(asking(other, slug)).hidden()["shown"]
    page = lead.confirm(asking(job, "pause"), shown=shown)
    assert "This confirmation has expired." in page.messages[0]
    job.refresh_from_db()
    assert job.status == "processing"


# --- permission, state, visibility --------------------------------------------------------------------------


@pytest.mark.parametrize("slug", sorted(ACTS))
def test_a_viewer_sees_why_not_and_cannot_do_it_anyway(browser: Any, slug: str) -> None:
    job = make_job(items=5, done=1, failed=1)
    tracking.claim(phase_of(job), worker="w1", limit=1, by=WORKER)
    Item.objects.held().update(lease_expires_at=timezone.now() - timedelta(seconds=9))
    if slug == "resume":
        operations.pause(job, actor=None)
    viewer = browser("viewer")
    address = asking(job, slug, f"?item={item_of(job, 'k1').pk}" if slug in ("retry", "skip") else "")
    page = viewer.open(address)
    assert "Needs the permission" in page.text
    assert not page.hidden()
    assert viewer.client.post(address, {"reason": "r", "name": job.name}).status_code == 403
    demoted = browser("lead")
    seen = demoted.open(address)
    demoted.account.groups.set([Group.objects.get(name="viewer")])
    answers = {"reason": "r", "name": job.name, "phase": "items", "threshold": "5", "only": "all"}
    assert "Needs the permission" in demoted.confirm(address, page=seen, status=403, **answers).text
    assert not job.events.filter(type__startswith="operator.").exclude(actor="system").exists()


@pytest.mark.parametrize("slug", sorted(GRAVE))
def test_grave_acts_are_not_for_operators(browser: Any, slug: str) -> None:
    job = make_job(items=5, done=1, failed=1)
    assert "Needs the permission" in browser("operator").open(asking(job, slug)).text


def test_the_wrong_state_is_named_and_offers_no_button(lead: Any) -> None:
    job = make_job(name="over", items=1, done=1)
    page = lead.open(asking(job, "cancel"))
    assert "Job over is completed; possible while it is pending, processing, paused or failed." in page.text
    assert not page.hidden()


def test_a_job_that_is_not_visible_is_not_found(browser: Any) -> None:
    job = make_job(items=1, project="b")
    browser("lead", projects=["a"]).open(asking(job, "cancel"), status=404)


def test_a_form_without_its_token_is_refused(lead: Any) -> None:
    job = make_job(items=1)
    lead.client.handler.enforce_csrf_checks = True
    assert lead.client.post(asking(job, "pause")).status_code == 403


# --- the way back ------------------------------------------------------------------------------------


def test_the_page_goes_back_with_the_filters_kept(lead: Any) -> None:
    make_failed(project="a")
    address = lead.open("/admin/?project=a").links()["Retry 3 failed…"]
    page = lead.confirm(address)
    assert page.response.redirect_chain == [("/admin/?project=a", 302)]


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil"])
def test_the_way_back_stays_on_this_site(lead: Any, back: str) -> None:
    job = make_failed()
    page = lead.confirm(asking(job, "retry"), back=back)
    assert page.response.redirect_chain == [(f"/admin/jobs/job/{job.pk}/", 302)]


# --- several jobs ------------------------------------------------------------------------------------


def test_several_jobs_are_shown_and_done_one_by_one(lead: Any) -> None:
    jobs = [make_job(name="a", items=2), make_stuck(name="b"), make_job(name="c", items=1, done=1)]
    query = "&".join(f"job={job.pk}" for job in jobs)
    address = f"/admin/jobs/job/act/cancel/?{query}"
    page = lead.open(address)
    assert "2 of 3 jobs" in page.text
    refused = lead.confirm(address, page=page, reason="r", name="2 jobs")
    assert "Type 3 jobs exactly to confirm." in refused.text
    done = lead.confirm(address, page=page, reason="r", name="3 jobs")
    assert done.messages == [
        "2 jobs cancelled, 1 refused. Show the result of each job",
        "1 refused: The job is completed; cancel is possible while it is pending, processing, paused or failed. c.",
    ]


def test_ticked_items_of_several_jobs_go_to_their_own(lead: Any) -> None:
    jobs = [make_job(name=name, items=2, failed=1) for name in ("a", "b")]
    items = [item_of(job, "k0").pk for job in jobs]
    address = f"/admin/jobs/job/act/retry/?job={jobs[0].pk}&job={jobs[1].pk}&item={items[0]}&item={items[1]}"
    page = lead.confirm(address)
    assert page.messages == ["2 items retried in 2 jobs. Show the result of each job"]


def test_a_ticked_job_without_ticked_items_is_not_meant_as_a_whole(lead: Any) -> None:
    jobs = [make_job(name=name, items=2, failed=1) for name in ("a", "b", "c")]
    items = [item_of(job, "k0").pk for job in jobs[:2]]
    ticked = "&".join([*(f"job={job.pk}" for job in jobs), *(f"item={pk}" for pk in items)])
    lead.confirm(f"/admin/jobs/job/act/retry/?{ticked}")
    assert [phase_of(job).failed for job in jobs] == [0, 0, 1]


def test_a_late_report_after_a_forced_end_is_closed(lead: Any) -> None:
    job = make_job(name="j", items=4, done=2)
    lead.confirm(asking(job, "force-complete"), reason="r", name="j")
    answer = settle(phase_of(job), ["completed"], start=3)
    assert [result.outcome for result in answer.results] == ["closed"]
