"""The diagnosis of a job: causes with figures, and remedies whose acts do what was predicted."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import operations, tracking, watchdog
from jobs.models import Job, ProcessHeartbeat
from jobs.operations.diagnosis import Diagnosis, diagnose
from jobs.operations.diagnosis.causes import Need
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from tests.factories import WORKER, announce, listed, make_job, operator, phase_of, pipeline, settle, take
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def looked_at(job: Job) -> Diagnosis:
    """Return the diagnosis of a job as it is stored now."""
    return diagnose(snapshot_of(Job.objects.get(pk=job.pk)))


def causes(job: Job) -> dict[str, str]:
    """Return the causes by code."""
    return {cause.code: cause.detail for cause in looked_at(job).causes}


def remedies(job: Job) -> dict[str, tuple[str, str]]:
    """Return the remedies by action."""
    return {remedy.action: (remedy.detail, remedy.outcome) for remedy in looked_at(job).remedies}


def test_a_job_whose_worker_fell_silent_says_since_when_and_what_is_missing(clock: Clock) -> None:
    job = make_job(items=120, done=44, failed=3, threshold=90)
    take(phase_of(job), 2, worker="w-7")
    clock.forward(46 * 60)
    watchdog.sweep()
    diagnosis = looked_at(job)
    assert diagnosis.verdict == "It is stuck and will not finish by itself."
    assert causes(job) == {
        "silent": "Silent 46 min: no report and no heartbeat.",
        "short": "Needs 108, has 44; 73 open.",
        "failed_items": "3 items have failed.",
        "waiting_for_worker": "Waiting for a worker: 73 items pending, none leased.",
        "silent_worker": "Worker w-7 has been silent for 46 min.",
    }


def test_expired_leases_are_told_from_live_ones(clock: Clock) -> None:
    job = make_job(items=5)
    take(phase_of(job), 2, seconds=10)
    clock.forward(11)
    take(phase_of(job), 1, worker="w2")
    assert causes(job)["expired_leases"] == "2 leases of w1, w2 expired."
    assert causes(job)["live_leases"] == "1 item under a live lease of w1, w2."
    assert remedies(job)["release"] == ("Release 2 leases", "2 items claimable again. 1 live lease stays.")


def test_announced_items_that_never_came_are_a_cause() -> None:
    job = make_job()
    announce(job, 120)
    settle(phase_of(job), ["completed"] * 47)
    assert causes(job)["unseen"] == "120 announced, but only 47 received."


def test_a_threshold_out_of_reach_names_how_many_failed() -> None:
    job = make_job(items=120, done=44, failed=15, threshold=90, on_shortfall="fail")
    assert causes(job)["out_of_reach"] == (
        "The threshold is out of reach: it needs 108, at most 105 can still succeed: 15 failed."
    )
    assert looked_at(job).verdict == "It is running, but it will fail: too many items have failed for its threshold."


def test_a_phase_behind_a_failed_one_says_so() -> None:
    specs = [PhaseSpec(code="ocr", on_shortfall=Shortfall.FAIL), PhaseSpec(code="merge", gated=True)]
    job = pipeline(*specs)
    settle(listed(job, 1), ["failed"])
    tracking.announce(phase_of(job, "ocr"), expected=1, by=WORKER)
    assert causes(job)["gated"] == "Merge is gated: it waits for Ocr (failed)."
    assert looked_at(job).verdict.startswith("It has failed")


def test_a_pause_names_the_operator_and_the_reason(clock: Clock) -> None:
    job = make_job(items=3)
    alice = operator("pause")
    operations.pause(job, actor=alice, reason="storage is full")
    clock.forward(600)
    assert causes(job)["paused"] == f"Paused by {alice.username} 10 min ago: “storage is full”."
    assert remedies(job)["resume"] == ("Resume", "3 items claimable again.")


def test_a_total_that_was_not_announced_is_a_cause_and_has_a_remedy() -> None:
    job = make_job()
    settle(phase_of(job), ["completed"] * 44)
    assert causes(job)["total_unknown"] == "44 settled, and the total was not announced."
    assert remedies(job)["announce"][1] == "With the 44 received items as the total, it completes with 44 of 44."


def test_a_watermark_is_a_remedy_that_comes_by_itself(clock: Clock) -> None:
    job = make_job(on_shortfall="fail")
    announce(job, 10)
    settle(phase_of(job), ["completed"] * 4)
    assert causes(job)["watermark"] == "Finishes with its results so far at 12:15:00 UTC."
    assert remedies(job)["wait"][1] == "At 12:15:00 UTC it fails with 4 of 10."


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("completed", "It has completed; nothing is missing."), ("cancelled", "It was cancelled")],
)
def test_a_job_that_is_over_says_so(status: str, verdict: str) -> None:
    job = make_job(items=2, done=2) if status == "completed" else make_job(items=2)
    if status == "cancelled":
        operations.cancel(job, actor=None)
    assert looked_at(job).verdict.startswith(verdict)


def test_a_completed_job_needs_nothing() -> None:
    assert looked_at(make_job(items=2, done=2)).remedies == []


# --- a verdict follows from its causes ----------------------------------------------------------------

WELL = ("needs no action", "nothing is missing")


# The clock goes on from one example to the next; every example has a job of its own.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.integers(0, 12),
    settled=st.lists(st.sampled_from(["completed", "failed"]), max_size=12),
    taken=st.integers(0, 4),
    lease=st.sampled_from([20, 7200, None]),
    passed=st.sampled_from([0, 30, 120, 3000]),
    steps=st.lists(st.sampled_from(["sweep", "retry", "pause", "resume"]), max_size=3),
    watched=st.booleans(),
    shortfall=st.sampled_from([*Shortfall]),
)
def test_a_verdict_never_says_that_all_is_well_while_a_cause_says_otherwise(
    clock: Clock,
    items: int,
    settled: list[str],
    taken: int,
    lease: int | None,
    passed: int,
    steps: list[str],
    watched: bool,
    shortfall: Shortfall,
) -> None:
    job = make_job(items=items, on_shortfall=shortfall, threshold=60)
    if settled and items:
        settle(phase_of(job), settled[:items])
    if taken and phase_of(job).is_open:
        take(phase_of(job), taken, seconds=lease, worker="w2")
    clock.forward(passed)
    for step in steps:
        with suppress(WrongState):
            watchdog.sweep() if step == "sweep" else getattr(operations, step)(job, actor=None)
    seen_at = clock.now if watched else clock.now - timedelta(minutes=2)
    ProcessHeartbeat.objects.update_or_create(kind="watchdog", defaults={"name": "other:1", "seen_at": seen_at})

    job = Job.objects.get(pk=job.pk)
    found, phase = looked_at(job), phase_of(job)
    held = phase.items.filter(status="processing")
    is_heard = job.heartbeat_at is not None and clock.now - job.heartbeat_at <= timedelta(seconds=60)
    trouble = {
        "the watchdog is silent": not job.is_finished and not watched,
        "an operator is needed": bool(job.stuck) or job.status in ("paused", "failed"),
        "a lease is over": not job.is_finished and held.filter(lease_expires_at__lt=clock.now).exists(),
        "nothing is leased": not job.is_finished and phase.pending_items > 0 and not held.exists(),
        "nothing is heard": not job.is_finished and not is_heard,
        "nothing succeeded": phase.failed > 2 and not phase.done,
        "the threshold is out of reach": phase.is_open and (items - phase.failed) * 100 < items * 60,
    }
    if any(trouble.values()):
        assert not any(word in found.verdict for word in WELL), (found, trouble)
    if any(cause.need for cause in found.causes):
        assert not any(word in found.verdict for word in WELL), found
    if any(cause.need == Need.PERSON for cause in found.causes):
        assert found.pressing


def test_a_job_that_goes_on_beside_a_failed_phase_needs_an_operator() -> None:
    job = pipeline(PhaseSpec(code="left", expected=2), PhaseSpec(code="right", expected=2))
    for code, status in (("left", "failed"), ("right", "processing")):
        settle(listed(job, 2, code=code), [status] * 2)
    found = looked_at(job)
    assert Job.objects.get(pk=job.pk).status == "processing"
    assert (found.pressing, found.verdict) == (True, "It is running, but Left has failed.")


def test_a_silent_job_that_was_retried_waits_for_a_worker(clock: Clock) -> None:
    job = make_job(items=12, done=4, failed=2, threshold=50)
    clock.forward(46 * 60)
    watchdog.sweep()
    operations.retry(job, actor=None)
    Job.objects.filter(pk=job.pk).update(stuck="")
    assert looked_at(job).verdict == "It waits for a worker: 8 items pending, none leased."


def test_expired_leases_are_in_the_verdict(clock: Clock) -> None:
    job = make_job(items=3)
    take(phase_of(job), 2, seconds=10)
    clock.forward(11)
    found = looked_at(job)
    assert (found.verdict, found.pressing) == ("It is running, but 2 leases of w1 expired.", True)


def test_a_lease_of_a_silent_worker_is_in_the_verdict(clock: Clock) -> None:
    job = make_job(items=3)
    take(phase_of(job), 2, worker="w-7", seconds=7200)
    assert looked_at(job).verdict == "It is running and needs no action."
    clock.forward(120)
    assert looked_at(job).verdict == "It is running, but worker w-7 has been silent for 2 min."


def test_without_a_watchdog_no_unfinished_job_is_well(clock: Clock) -> None:
    job = make_job(items=3)
    take(phase_of(job), 1)
    ProcessHeartbeat.objects.create(kind="watchdog", name="other:1", seen_at=clock.now - timedelta(minutes=5))
    assert looked_at(job).verdict == "It is running, but no watchdog process is running."
    assert causes(job)["no_watchdog"].startswith(
        "No watchdog process has sent a heartbeat for 5 min. Expired leases are not freed"
    )


def test_a_job_that_is_under_way_without_items_and_not_heard_says_so(clock: Clock) -> None:
    job = pipeline(PhaseSpec(code="clustering"))
    tracking.start(phase_of(job), by=WORKER)
    clock.forward(200)
    assert "no report or heartbeat for 3 min" in causes(job)["unheard"].lower()
    assert "needs no action" not in looked_at(job).verdict


# --- what a remedy promises is what its act does ------------------------------------------------------


@settings(max_examples=30)
@given(
    expected=st.integers(1, 12),
    done=st.integers(0, 12),
    failed=st.integers(0, 12),
    trigger=st.sampled_from([*Trigger]),
    shortfall=st.sampled_from([*Shortfall]),
)
def test_lowering_the_threshold_does_what_was_said(expected: int, done: int, failed: int, **rules: Any) -> None:
    job = _job(expected, done, failed, **rules)
    promise = next((r for r in looked_at(job).remedies if r.action == "threshold"), None)
    if promise is None:
        return
    percent = int(promise.detail.split()[-2])
    operations.set_threshold(job, phase="items", threshold=percent, actor=None)
    phase = phase_of(job)
    missing = expected - phase.counts.processed
    if promise.outcome.startswith("Completes at once"):
        assert (phase.status, promise.outcome) == ("completed", f"Completes at once with {missing} missing.")
    else:
        assert phase.is_open


@settings(max_examples=30)
@given(expected=st.integers(1, 12), done=st.integers(0, 12), failed=st.integers(0, 12))
def test_forcing_does_what_was_said(expected: int, done: int, failed: int) -> None:
    job = _job(expected, done, failed, trigger=Trigger.WHEN_SETTLED, shortfall=Shortfall.FAIL)
    promise = next((r for r in looked_at(job).remedies if r.action == "force-complete"), None)
    if promise is None:
        assert Job.objects.get(pk=job.pk).status == "completed"
        return
    operations.force_complete(job, actor=None, reason="it is enough")
    event = job.events.get(type="items.completed", outward=True).data
    figures = f"{event['processed_assets']} of {event['total_assets']}"
    assert f"({'partial, ' if event['has_partial_completion'] else ''}{figures})" in promise.outcome


@settings(max_examples=30)
@given(expected=st.integers(1, 12), done=st.integers(0, 12), failed=st.integers(1, 12))
def test_retrying_needs_as_many_successes_as_was_said(expected: int, done: int, failed: int) -> None:
    job = _job(expected, done, failed, trigger=Trigger.AT_THRESHOLD, shortfall=Shortfall.FAIL)
    promise = next((r for r in looked_at(job).remedies if r.action == "retry"), None)
    if promise is None:
        return
    act = operations.retry(job, actor=None)
    assert promise.outcome.startswith(f"{act.changed} item")
    needed = int(promise.outcome.split("completes with ")[1].split()[0])
    open_keys = list(phase_of(job).items.filter(status="pending").order_by("pk").values_list("key", flat=True))
    for place, key in enumerate(open_keys[:needed], 1):
        tracking.report(phase_of(job), results=[tracking.Result(key, "completed")], by=WORKER)
        assert phase_of(job).is_completed is (place == needed)


def _job(expected: int, done: int, failed: int, *, trigger: Trigger, shortfall: Shortfall) -> Job:
    done = min(done, expected)
    return make_job(
        items=expected,
        done=done,
        failed=min(failed, expected - done),
        threshold=90,
        trigger=trigger,
        on_shortfall=shortfall,
    )


def test_it_costs_the_same_for_many_items_and_workers(clock: Clock) -> None:
    def cost(items: int) -> int:
        job = make_job(items=items, failed=items // 4)
        for number in range(items // 10):
            take(phase_of(job), 1, worker=f"w{number}", seconds=1)
        clock.forward(timedelta(minutes=5).total_seconds())
        with CaptureQueriesContext(
            connection,
        ) as queries:
            looked_at(job)
        return len(queries)

    assert cost(40) == cost(400) <= 10
