"""The end of a phase: its moment, its cause, and later reports."""

from __future__ import annotations

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import fail, force_complete, restart, retry, set_threshold, skip
from tests.factories import (
    WORKER,
    complete,
    item_of,
    listed,
    make_job,
    outcomes,
    outward,
    phase_of,
    settle,
    take,
    tell,
    types,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def over(job: Job) -> tuple[str, str, bool]:
    phase = phase_of(job)
    return phase.status, phase.completed_by, phase.partial


@pytest.mark.parametrize(
    ("counts", "trigger", "shortfall", "threshold", "how"),
    [
        ((10, 0, 0), "when_settled", "partial", 100, ("completed", "all_done", False)),
        ((8, 0, 2), "when_settled", "partial", 100, ("completed", "all_done", False)),
        ((9, 1, 0), "when_settled", "partial", 100, ("completed", "settled", True)),
        ((9, 1, 0), "when_settled", "fail", 90, ("completed", "settled", True)),
        ((9, 1, 0), "when_settled", "fail", 100, ("failed", "", False)),
        ((0, 10, 0), "when_settled", "partial", 100, ("failed", "", False)),
        ((0, 10, 0), "at_threshold", "partial", 100, ("failed", "", False)),
        ((0, 9, 1), "when_settled", "partial", 100, ("completed", "settled", True)),
        ((9, 0, 0), "at_threshold", "fail", 90, ("completed", "threshold", True)),
        ((8, 2, 0), "at_threshold", "partial", 90, ("completed", "settled", True)),
        ((8, 2, 0), "at_threshold", "fail", 90, ("failed", "", False)),
        ((9, 0, 0), "when_settled", "partial", 90, ("processing", "", False)),
        ((8, 1, 0), "at_threshold", "partial", 90, ("processing", "", False)),
    ],
)
def test_a_phase_is_over_when_its_trigger_says_so(
    counts: tuple[int, int, int], trigger: str, shortfall: str, threshold: int, how: tuple[str, str, bool]
) -> None:
    done, failed, skipped = counts
    job = make_job(
        items=10,
        done=done,
        failed=failed,
        skipped=skipped,
        threshold=threshold,
        trigger=trigger,
        on_shortfall=shortfall,
    )
    assert over(job) == how


@pytest.mark.parametrize("trigger", ["when_settled", "at_threshold"])
def test_the_last_outcome_may_be_a_failure(trigger: str) -> None:
    job = make_job(items=3, done=2, trigger=trigger)
    settle(phase_of(job), ["failed"], start=2)
    assert over(job) == ("completed", "settled", True)
    [event] = outward(job, "items.completed")
    assert (event["processed_assets"], event["failed_assets"], event["completed_by"]) == (2, 1, "settled")


def test_partial_is_frozen_when_the_phase_completes() -> None:
    job = make_job(items=10, done=9, failed=1)
    tell(phase_of(job), "k9", "completed")
    assert (over(job), phase_of(job).done, phase_of(job).failed) == (("completed", "settled", True), 10, 0)
    job.refresh_from_db()
    assert (job.partial, len(outward(job, "items.completed"))) == (True, 1)


def test_a_failed_phase_says_what_was_missing() -> None:
    job = make_job(items=10, done=7, failed=3, threshold=90, on_shortfall="fail")
    [event] = outward(job, "items.failed")
    assert event["error"] == "7 of 10 done, 3 failed; 9 were needed (90 %)"
    assert (event["total_assets"], event["processed_assets"], event["failed_assets"]) == (10, 7, 3)
    assert types(job, outward=True) == ["items.failed", "job.failed"]


# --- after completion --------------------------------------------------------------------------------


def completed(by: str, clock: Clock) -> Job:
    """Make a job of 10 items whose phase completed in this way, with k9 still pending and k8 perhaps failed."""
    if by == "threshold":
        return make_job(items=10, done=9, threshold=90, trigger="at_threshold")
    if by == "settled":
        job = make_job(items=10, done=8, failed=1, expected=None)
        tracking.announce(phase_of(job), expected=9, by=WORKER)
        return job
    job = make_job(items=10, done=8, failed=1)
    tracking.announce(phase_of(job), expected=11, by=WORKER)
    watchdog.pass_watermarks(clock.forward(901))
    return job


@pytest.mark.parametrize("by", ["threshold", "settled", "watermark"])
def test_open_items_stay_claimable_by_name_and_count_late_and_send_nothing(by: str, clock: Clock) -> None:
    job = completed(by, clock)
    assert phase_of(job).completed_by == by
    events = outward(job)
    assert [item.key for item in take(phase_of(job))] == ["k9"]
    done = phase_of(job).done
    assert tell(phase_of(job), "k9", "completed", attempt=1).outcome == "applied"
    assert (phase_of(job).done, phase_of(job).status, outward(job)) == (done + 1, "completed", events)


@pytest.mark.parametrize("by", ["threshold", "settled", "watermark"])
def test_the_common_claim_serves_unfinished_phases_only(by: str, clock: Clock) -> None:
    job = completed(by, clock)
    assert tracking.claim_any(worker="w1", phase="items", by=WORKER).reason == "none_pending"
    assert phase_of(job).pending_items == 1


def test_a_late_failure_is_counted_and_shown() -> None:
    job = make_job(items=10, done=9, threshold=90, trigger="at_threshold", on_shortfall="fail")
    tell(phase_of(job), "k9", "failed", error="too late")
    job.refresh_from_db()
    assert (phase_of(job).failed, phase_of(job).status, job.status) == (1, "completed", "completed")
    assert job.error == "k9 failed: too late"


def test_failed_items_of_a_completed_phase_may_be_retried_and_count_late() -> None:
    job = make_job(items=3, done=2, failed=1)
    events = outward(job, "items.completed")
    assert retry(job, actor=None).changed == 1
    assert (phase_of(job).status, phase_of(job).failed, phase_of(job).run) == ("completed", 0, 1)
    [item] = take(phase_of(job))
    assert tell(phase_of(job), item.key, "completed", attempt=item.attempt).outcome == "applied"
    assert (phase_of(job).done, outward(job, "items.completed")) == (3, events)


def test_a_retried_item_of_a_completed_phase_may_fail_again() -> None:
    job = make_job(items=3, done=2, failed=1)
    retry(job, actor=None)
    tell(phase_of(job), "k2", "failed", error="again")
    job.refresh_from_db()
    assert (phase_of(job).failed, job.status, job.error) == (1, "completed", "k2 failed: again")


# --- a failed phase ----------------------------------------------------------------------------------


def test_a_failed_phase_takes_no_reports_and_no_claims() -> None:
    job = make_job(items=10, failed=1, on_shortfall="fail")
    fail(job, actor=None, reason="broken input")
    answer = settle(phase_of(job), ["completed", "completed", "processing"])
    assert outcomes(answer) == ["closed", "closed", "closed"]
    assert tracking.claim(phase_of(job), worker="w1", by=WORKER).reason == "closed"
    assert (phase_of(job).done, phase_of(job).failed) == (0, 1)


def test_a_retry_reopens_a_failed_phase_in_the_same_run() -> None:
    job = make_job(items=3, done=2, failed=1, on_shortfall="fail")
    retry(job, actor=None)
    phase = phase_of(job)
    assert (phase.status, phase.run, phase.completed_at, phase.error) == ("processing", 1, None, "")
    assert (phase.job.status, phase.job.error, phase.job.finished_at) == ("processing", "", None)
    complete(phase, 1, start=2)
    assert over(job) == ("completed", "all_done", False)


def test_a_failed_phase_may_fail_and_complete_in_the_same_run_but_completes_once() -> None:
    job = make_job(items=2, done=1, failed=1, on_shortfall="fail")
    for status in ("failed", "completed"):
        retry(job, actor=None)
        settle(phase_of(job), [status], start=1)
    assert types(job, outward=True) == [
        "items.failed",
        "job.failed",
        "item.retry_requested",
        "items.failed",
        "job.failed",
        "item.retry_requested",
        "items.completed",
        "job.completed",
    ]


def test_a_retry_of_one_failed_item_leaves_the_others_failed() -> None:
    job = make_job(items=3, done=1, failed=2, on_shortfall="fail")
    act = retry(job, items=[item_of(job, "k1").pk], actor=None)
    assert (act.changed, phase_of(job).status, phase_of(job).failed) == (1, "processing", 1)
    complete(phase_of(job), 1, start=1)
    assert over(job) == ("failed", "", False)


def test_skipping_what_failed_completes_a_failed_phase() -> None:
    job = make_job(items=3, done=2, failed=1, on_shortfall="fail")
    skip(job, items=[item_of(job, "k2").pk], actor=None)
    assert over(job) == ("completed", "all_done", False)
    job.refresh_from_db()
    assert (job.status, job.error) == ("completed", "")


def test_the_error_of_a_phase_that_completes_after_all_is_gone(clock: Clock) -> None:
    job = make_job(items=10, done=8, on_shortfall="fail")
    tracking.announce(phase_of(job), expected=11, by=WORKER)
    watchdog.pass_watermarks(clock.forward(901))
    job.refresh_from_db()
    assert job.error.startswith("Items failed: 8 of 11 done")
    set_threshold(job, phase="items", threshold=70, actor=None)
    job.refresh_from_db()
    assert (job.status, job.error) == ("completed", "")
    assert over(job) == ("completed", "threshold", True)


def test_the_error_of_a_phase_that_goes_on_after_a_skip_is_gone(clock: Clock) -> None:
    job = make_job(items=10, done=8, on_shortfall="fail")
    tracking.announce(phase_of(job), expected=11, by=WORKER)
    watchdog.pass_watermarks(clock.forward(901))
    skip(job, items=[item_of(job, "k9").pk], actor=None)
    job.refresh_from_db()
    assert (job.status, job.error) == ("processing", "")


# --- forced ------------------------------------------------------------------------------------------


def test_a_forced_phase_is_closed_for_good_except_by_restart() -> None:
    job = make_job(items=5, done=1, failed=1)
    force_complete(job, actor=None, reason="enough")
    assert outcomes(settle(phase_of(job), ["completed"] * 5)) == ["duplicate", "closed", "closed", "closed", "closed"]
    assert tracking.claim(phase_of(job), worker="w1", by=WORKER).reason == "closed"
    assert retry(job, actor=None).changed == 0
    assert (phase_of(job).done, phase_of(job).failed) == (1, 1)
    restart(job, phase="items", actor=None)
    assert outcomes(complete(phase_of(job), 5)) == ["applied"] * 5
    assert over(job) == ("completed", "all_done", False)


def test_a_list_that_grows_after_a_failure_of_one_item_goes_on() -> None:
    job = make_job(items=2, done=1)
    listed(job, 3)
    settle(phase_of(job), ["failed"], start=1)
    assert over(job) == ("processing", "", False)
