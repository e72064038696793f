"""Automatic retries: items that failed wait, are claimed again when they are due, and fail for good at last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs import operations, tracking, watchdog
from jobs.change import stuck_reason
from jobs.models import Item, Job, Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.retries import RetryPolicy
from jobs.rules.statuses import Shortfall, Trigger
from jobs.tracking import Actor
from tests.factories import WORKER, item_of, make_job, outward, phase_of, pipeline, take, tell
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every delay exact."""
    monkeypatch.setattr("jobs.tracking.transitions.random", lambda: 0.5)


def retrying(*, items: int = 1, retries: int = 3, **fields: Any) -> Job:
    """Make a job whose failed items are retried that often, after 30, 60, 120 … seconds."""
    return make_job(items=items, phases=[PhaseSpec(code="items", retries=retries, **fields)])


def fail(job: Job, key: str = "k0", **fields: Any) -> tracking.ResultOutcome:
    """Report the failure of an item under its present attempt."""
    return tell(phase_of(job), key, "failed", attempt=item_of(job, key).attempt, error="Disk full", **fields)


def claim(job: Job, limit: int = 100) -> tracking.Claimed:
    return tracking.claim(phase_of(job), worker="w2", limit=limit, by=Actor(name="w2"))


def claim_any(code: str = "items") -> tracking.Claimed:
    return tracking.claim_any(worker="w2", phase=code, by=Actor(name="w2"))


def use_up(job: Job, clock: Clock, *, failures: int) -> None:
    """Let k0 fail that often, each time as soon as it is due."""
    for _ in range(failures):
        clock.forward(3600)
        [item] = take(phase_of(job), 1)
        tell(phase_of(job), "k0", "failed", attempt=item.attempt, error="Disk full")


def assert_counted(job: Job) -> None:
    assert watchdog.recount() == []
    phase = phase_of(job)
    assert phase.waiting == phase.items.filter(available_at__isnull=False).count()


# --- the delay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failures", "seconds"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (100, 3600)])
def test_the_delay_doubles_with_each_failure_up_to_its_maximum(failures: int, seconds: int) -> None:
    policy = RetryPolicy(100, 30, 3600)
    delays = [policy.delay_after(failures, chance=chance) for chance in (0, 0.5, 1)]
    assert delays == [timedelta(seconds=seconds * factor) for factor in (0.8, 1, 1.2)]


def test_items_that_fail_together_come_back_spread(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    chances = iter([0.0, 1.0])
    monkeypatch.setattr("jobs.tracking.transitions.random", lambda: next(chances))
    job = retrying(items=2)
    take(phase_of(job))
    assert [fail(job, key).available_at for key in ("k0", "k1")] == [
        clock.now + timedelta(seconds=24),
        clock.now + timedelta(seconds=36),
    ]


# --- a failure ---------------------------------------------------------------------------------------


def test_a_failure_with_retries_left_makes_the_item_pending_until_it_is_due(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job), worker="w1")
    answer, item = fail(job), item_of(job, "k0")
    due = clock.now + timedelta(seconds=30)
    assert (answer.outcome, answer.status, answer.available_at) == ("applied", "pending", due)
    assert (item.status, item.available_at, item.failures, item.error, item.tries) == (
        "pending",
        due,
        1,
        "Disk full",
        0,
    )
    phase = phase_of(job)
    assert (phase.failed, phase.pending_items, phase.waiting, phase.next_due_at) == (0, 1, 1, due)
    assert (phase.status, phase.job.error, phase.state.counts.settled) == ("processing", "", 0)


def test_only_the_failure_after_the_last_retry_is_final(clock: Clock) -> None:
    job = retrying(retries=2, on_shortfall=Shortfall.FAIL)
    use_up(job, clock, failures=2)
    assert (phase_of(job).failed, phase_of(job).status) == (0, "processing")
    use_up(job, clock, failures=1)
    item = item_of(job, "k0")
    assert (item.status, item.failures, item.available_at) == ("failed", 3, None)
    job.refresh_from_db()
    assert (phase_of(job).failed, phase_of(job).status, job.error) == (1, "failed", "k0 failed: Disk full")
    assert_counted(job)


def test_without_retries_a_failure_is_final() -> None:
    job = make_job(items=2)
    take(phase_of(job))
    assert fail(job).status == "failed"


def test_a_result_may_say_that_its_failure_is_final() -> None:
    job = retrying()
    take(phase_of(job))
    assert fail(job, retry=False).status == "failed"


def test_a_result_may_ask_for_its_own_delay(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    assert fail(job, retry_after=500_000).available_at == clock.now + timedelta(seconds=500_000)


def test_a_failure_reported_again_is_no_second_failure(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    first = fail(job)
    for seconds in (0, 31):  # also once it is due
        clock.forward(seconds)
        assert fail(job).outcome == "duplicate"
    assert item_of(job, "k0").failures == 1
    assert item_of(job, "k0").available_at == first.available_at


def test_a_failure_without_an_attempt_is_a_second_one_only_when_the_item_is_due(clock: Clock) -> None:
    job = retrying()
    outcomes = []
    for seconds in (0, 29, 31):
        clock.forward(seconds)
        outcomes.append(tell(phase_of(job), "k0", "failed").outcome)
    assert (outcomes, item_of(job, "k0").failures) == (["applied", "duplicate", "applied"], 2)


def test_a_failure_of_an_attempt_that_was_claimed_again_is_stale(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job), worker="w1")
    fail(job)
    clock.forward(31)
    take(phase_of(job), worker="w2")
    assert tell(phase_of(job), "k0", "failed", attempt=1).outcome == "stale"


def test_a_success_for_a_waiting_item_counts_until_it_is_claimed_again() -> None:
    job = retrying()
    take(phase_of(job))
    fail(job)
    assert tell(phase_of(job), "k0", "completed", attempt=1).outcome == "applied"
    item = item_of(job, "k0")
    assert (item.status, item.error, item.available_at) == ("completed", "", None)
    assert (phase_of(job).status, phase_of(job).waiting, phase_of(job).next_due_at) == ("completed", 0, None)


def test_an_expired_lease_counts_tries_and_no_failure(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    watchdog.sweep(clock.forward(91))
    item = item_of(job, "k0")
    assert (item.status, item.tries, item.failures, item.available_at) == ("pending", 1, 0, None)


def test_percent_threshold_and_reach_see_only_final_failures(clock: Clock) -> None:
    job = retrying(items=10, retries=1, threshold=90, trigger=Trigger.AT_THRESHOLD)
    take(phase_of(job))
    for number in range(3):
        fail(job, f"k{number}")
    assert list(Phase.objects.doomed()) == []
    assert "failed" not in Job.objects.get(pk=job.pk).stage
    clock.forward(31)
    take(phase_of(job))
    for number in range(3):
        fail(job, f"k{number}")
    assert list(Phase.objects.doomed()) == [phase_of(job)]


# --- claims ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [claim, lambda job: claim_any()], ids=["of the phase", "of any job"])
def test_a_claim_skips_an_item_until_it_is_due(ask: Callable[[Job], tracking.Claimed], clock: Clock) -> None:
    job = retrying(items=2)
    take(phase_of(job), 1)
    fail(job)
    assert [item.key for item in ask(job).items] == ["k1"]
    empty = ask(job)
    assert (empty.items, empty.reason, empty.retry_at) == ([], "retry_wait", clock.now + timedelta(seconds=30))
    clock.forward(30)
    [item] = ask(job).items
    assert (item.key, item.attempt, item.failures, item.last_error) == ("k0", 2, 1, "Disk full")
    assert item_of(job, "k0").available_at is None
    assert ask(job).reason == "none_pending"
    assert_counted(job)


def test_items_that_are_due_come_in_their_place_among_the_others(clock: Clock) -> None:
    job = retrying(items=5)
    take(phase_of(job), 3)
    for key in ("k2", "k0"):
        fail(job, key)
    clock.forward(31)
    assert [item.key for item in claim(job, limit=2).items] == ["k0", "k2"]
    assert [item.key for item in claim(job, limit=2).items] == ["k3", "k4"]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_next_time_is_that_of_the_first_item_that_still_waits(clock: Clock, limit: int) -> None:
    job = retrying(items=4)
    take(phase_of(job))
    for number, seconds in enumerate((10, 20, 300, 200)):
        fail(job, f"k{number}", retry_after=seconds)
    start = clock.now
    clock.forward(25)
    while claim(job, limit=limit).items:
        continue
    assert claim(job).retry_at == start + timedelta(seconds=200)
    assert phase_of(job).next_due_at == start + timedelta(seconds=200)


def test_a_time_that_is_too_early_is_corrected_by_the_next_claim(clock: Clock) -> None:
    job = retrying(items=2)
    take(phase_of(job))
    fail(job, "k0", retry_after=10)
    fail(job, "k1", retry_after=500)
    tell(phase_of(job), "k0", "completed", attempt=1)
    due = item_of(job, "k1").available_at
    clock.forward(15)
    for empty in (claim(job), claim(job), claim_any()):
        assert (empty.items, empty.reason, empty.retry_at) == ([], "retry_wait", due)


def test_a_claim_of_any_job_passes_over_jobs_that_only_wait(clock: Clock) -> None:
    waiting, ready = retrying(), retrying(items=2)
    take(phase_of(waiting))
    fail(waiting)
    assert {item.job for item in claim_any().items} == {ready.pk}
    assert claim_any().reason == "retry_wait"


def test_a_waiting_item_of_a_paused_job_gives_no_time(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    fail(job)
    operations.pause(job, actor=None)
    assert (claim(job).reason, claim_any().reason) == ("paused", "none_pending")


# --- operators and new runs --------------------------------------------------------------------------


def retry(job: Job, **arguments: Any) -> operations.Act:
    return operations.retry(job, actor=None, **arguments)


@pytest.mark.parametrize("by", ["job", "phase", "id", "signature"])
def test_an_operators_retry_makes_waiting_items_due_at_once(clock: Clock, by: str) -> None:
    job = retrying(items=2)
    take(phase_of(job))
    fail(job)
    chosen: dict[str, dict[str, Any]] = {
        "job": {},
        "phase": {"phase": "items"},
        "id": {"items": [item_of(job, "k0").pk]},
        "signature": {"error_signature": "Disk full"},
    }
    act = retry(job, **chosen[by])
    assert (act.changed, act.refused) == (1, [])
    item = item_of(job, "k0")
    assert (item.available_at, item.failures, item.error, item.attempt) == (None, 0, "", 2)
    assert tell(phase_of(job), "k0", "failed", attempt=1).outcome == "stale"
    assert [event["keys"] for event in outward(job, "item.retry_requested")] == [["k0"]]
    assert [item.key for item in claim(job).items] == ["k0"]
    assert_counted(job)


def test_a_pending_item_that_does_not_wait_is_not_retried() -> None:
    job = retrying(items=2)
    act = retry(job, items=[item_of(job, "k1").pk])
    assert (act.changed, len(act.refused)) == (0, 1)


def test_an_operators_retry_takes_failed_and_waiting_items_together(clock: Clock) -> None:
    job = retrying(items=3)
    take(phase_of(job))
    fail(job, "k0")
    fail(job, "k1", retry=False)
    act = retry(job)
    assert (act.changed, act.detail) == (2, "1 failed item is pending again. 1 waiting item is due at once.")
    assert (phase_of(job).failed, phase_of(job).waiting) == (0, 0)


@pytest.mark.parametrize("only", ["all", "failed"])
def test_a_new_run_forgets_failures_and_waits_for_nothing(clock: Clock, only: str) -> None:
    job = retrying(items=2)
    take(phase_of(job))
    fail(job, "k0")
    fail(job, "k1", retry=False)
    operations.restart(job, phase="items", only=only, actor=None)
    assert list(Item.objects.values_list("failures", "available_at", "error")) == [(0, None, "")] * 2
    assert phase_of(job).next_due_at is None
    assert [item.key for item in claim(job).items] == ["k0", "k1"]
    assert_counted(job)


def test_a_waiting_item_may_be_skipped() -> None:
    job = retrying()
    take(phase_of(job))
    fail(job)
    assert operations.skip(job, items=[item_of(job, "k0").pk], actor=None).changed == 1
    assert (phase_of(job).status, phase_of(job).waiting, item_of(job, "k0").available_at) == ("completed", 0, None)


def test_a_watermark_finishes_a_phase_with_waiting_items(clock: Clock) -> None:
    job = retrying(items=2, expected=2, watermark_ttl=60)
    tracking.announce(phase_of(job), expected=3, by=WORKER)
    take(phase_of(job))
    fail(job, retry_after=900)
    watchdog.sweep(clock.forward(61))
    assert (phase_of(job).status, phase_of(job).partial, phase_of(job).waiting) == ("completed", True, 1)


# --- stuck -------------------------------------------------------------------------------------------


def mark(job: Job, now: datetime) -> str:
    watchdog.sweep(now)
    job.refresh_from_db()
    assert (stuck_reason(job, [phase_of(job)], now=now) or "") == job.stuck
    return job.stuck


def test_a_job_that_only_waits_is_not_stuck_before_its_first_retry_is_due(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    fail(job, retry_after=7200)
    assert mark(job, clock.forward(7200)) == ""
    assert mark(job, clock.forward(599)) == ""
    assert mark(job, clock.forward(2)) == "silent"


def test_a_job_that_waited_long_is_not_stalled_when_its_retry_begins(clock: Clock) -> None:
    job = retrying()
    take(phase_of(job))
    fail(job, retry_after=7200)
    clock.forward(7201)
    take(phase_of(job))
    assert mark(job, clock.forward(1)) == ""


def test_waiting_items_excuse_no_silence_of_a_worker_that_holds_others(clock: Clock) -> None:
    job = retrying(items=2)
    take(phase_of(job), seconds=10_000)
    fail(job, retry_after=7200)
    assert mark(job, clock.forward(601)) == "silent"


# --- where retries come from -------------------------------------------------------------------------


def test_a_phase_takes_its_retries_from_itself_then_its_job_then_the_setting(settings: Any) -> None:
    settings.ITEM_RETRIES = 7
    specs = [PhaseSpec(code="a", retries=1, retry_delay=5, retry_delay_max=6), PhaseSpec(code="b")]
    given = pipeline(*specs, retries=2, retry_delay=9)
    plain = pipeline(PhaseSpec(code="a"))
    found = [(p.retries, p.retry_delay, p.retry_delay_max) for p in Phase.objects.filter(job__in=[given, plain])]
    assert found == [(1, 5, 6), (2, 9, 3600), (7, 30, 3600)]
