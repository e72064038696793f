"""The confirmation of each act, and its effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import tracking
from jobs.models import Item, Job
from jobs.rules.pipelines import PhaseSpec
from tests.factories import WORKER, item_of, make_job, phase_of
from tests.jobs.pages.test_confirming import asking, facts
from tests.jobs.pages.test_overview import make_failed

# --- items -------------------------------------------------------------------------------------------


def test_retry_names_the_items_and_what_is_cleared(lead: Any) -> None:
    job = make_failed()
    said = facts(lead.open(asking(job, "retry")))
    assert said["Will be retried"] == "3 failed items: k14, k15, k16"
    assert said["Will be sent"] == "item.retry_requested, once, with the keys"
    page = lead.confirm(asking(job, "retry"))
    assert page.messages == [f"{job.name}: 3 retried."]
    assert Job.objects.get().status == "processing"


def test_retry_of_ticked_items_refuses_those_that_did_not_fail(lead: Any) -> None:
    job = make_job(items=5, done=1, failed=2)
    chosen = [item_of(job, key).pk for key in ("k0", "k1")]
    address = asking(job, "retry", f"?item={chosen[0]}&item={chosen[1]}")
    said = facts(lead.open(address))
    assert (said["Will be retried"], said["Will be refused"]) == ("1 failed item: k1", "1 item: not failed")
    page = lead.confirm(address)
    assert page.messages == [f"{job.name}: 1 retried, 1 refused: is completed; it cannot be retried."]


def test_retry_of_one_error_takes_only_its_items(lead: Any) -> None:
    job = make_job(items=5)
    results = [tracking.Result("k0", "failed", error="timeout after 5 s"), tracking.Result("k1", "failed", error="bad")]
    tracking.report(phase_of(job), worker="w1", results=results, by=WORKER)
    page = lead.confirm(asking(job, "retry", "?signature=timeout+after+%23+s"))
    assert page.messages == [f"{job.name}: 1 retried."]
    assert item_of(job, "k1").status == "failed"


def test_release_leaves_live_leases_alone(lead: Any) -> None:
    job = make_job(items=5)
    tracking.claim(phase_of(job), worker="w1", limit=3, by=WORKER)
    Item.objects.filter(key="k0").update(lease_expires_at=timezone.now() - timedelta(seconds=9))
    said = facts(lead.open(asking(job, "release")))
    assert (said["Will be released"], said["Left behind"]) == ("1 item: k0", "2 live leases of w1 stay.")
    assert lead.confirm(asking(job, "release")).messages == [f"{job.name}: 1 released."]


def test_release_can_take_live_leases_when_asked(lead: Any) -> None:
    job = make_job(items=5)
    tracking.claim(phase_of(job), worker="w1", limit=3, by=WORKER)
    assert lead.confirm(asking(job, "release", "?all=1")).messages == [f"{job.name}: 3 released."]


def test_skip_needs_ticked_items(lead: Any) -> None:
    job = make_job(items=5, failed=1)
    assert "Select the items to skip" in lead.open(asking(job, "skip")).text
    page = lead.confirm(asking(job, "skip", f"?item={item_of(job, 'k0').pk}"))
    assert page.messages == [f"{job.name}: 1 skipped."]
    assert phase_of(job).skipped == 1


# --- going on and ending -----------------------------------------------------------------------------


def test_pause_and_resume_need_no_reason(lead: Any) -> None:
    job = make_job(name="j", items=3, done=1)
    assert lead.confirm(asking(job, "pause")).messages == ["j: Job j is paused."]
    assert lead.confirm(asking(job, "resume")).messages == ["j: Job j runs again."]


def test_a_threshold_can_be_lowered_to_what_is_met(lead: Any) -> None:
    job = make_job(name="j", items=20, done=12, threshold=90, trigger="at_threshold")
    said = facts(lead.open(asking(job, "threshold")))
    assert said["Met now"] == "Items: a threshold up to 60 % is met"
    page = lead.confirm(asking(job, "threshold"), phase="items", threshold="60", reason="enough")
    assert page.messages == ["j: The threshold of items is 60 % (was 90 %)."]
    assert Job.objects.get().status == "completed"


@pytest.mark.parametrize("threshold", ["101", "-1", "x", ""])
def test_a_threshold_is_a_percent(lead: Any, threshold: str) -> None:
    job = make_job(items=20, done=12)
    page = lead.confirm(asking(job, "threshold"), phase="items", threshold=threshold, reason="r")
    assert page.root.find(cls="wrong")
    assert phase_of(job).threshold == 100


def test_restart_counts_what_begins_again_for_the_chosen_part(lead: Any) -> None:
    job = make_job(name="j", items=5, done=3, failed=1)
    assert facts(lead.open(asking(job, "restart")))["Pending again"] == "4 items"
    looked = lead.confirm(asking(job, "restart"), phase="items", only="failed", look="1")
    assert facts(looked)["Pending again"] == "1 item"
    assert phase_of(job).run == 1
    page = lead.confirm(asking(job, "restart"), phase="items", only="failed", reason="again")
    assert page.messages == ["j: 1 item pending again."]
    assert phase_of(job).run == 2


def test_fail_shows_the_events_of_each_open_phase(lead: Any) -> None:
    specs = [PhaseSpec(code="ocr"), PhaseSpec(code="merge", gated=True)]
    job = make_job(name="j", items=3, phases=specs)
    assert facts(lead.open(asking(job, "fail")))["Will be sent"] == "ocr.failed merge.failed job.failed"
    assert lead.confirm(asking(job, "fail"), reason="broken").messages == ["j: Job j is failed."]
