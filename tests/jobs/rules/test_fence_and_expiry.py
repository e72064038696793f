"""Fence and expiry: the results that count, and the items of a lost worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Item
from jobs.operations import cancel, pause, release, restart, retry
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Trigger
from tests.factories import (
    WORKER,
    complete,
    item_of,
    listed,
    make_job,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
    types,
)
from tests.jobs.rules.conftest import Clock
from tests.jobs.rules.lease_helpers import expire

pytestmark = pytest.mark.django_db


# --- the fence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "failed", "skipped", "processing", "pending"])
@pytest.mark.parametrize(("attempt", "outcome"), [(1, "stale"), (0, "stale"), (3, "invalid"), (99, "invalid")])
def test_an_older_attempt_is_stale_and_a_higher_one_invalid_and_neither_changes_anything(
    attempt: int, outcome: str, status: str, clock: Clock
) -> None:
    job = make_job(items=1)
    expire(job, clock)
    take(phase_of(job), worker="w2")
    before = Item.objects.values().get()
    answer = tell(phase_of(job), "k0", status, worker="lost", attempt=attempt)
    assert (answer.outcome, Item.objects.values().get()) == (outcome, before)
    assert "attempt 2" in answer.detail


def test_the_current_attempt_and_none_at_all_are_accepted() -> None:
    phase = phase_of(make_job(items=2))
    take(phase)
    assert tell(phase, "k0", "completed", attempt=1).outcome == "applied"
    assert tell(phase, "k1", "completed", worker="w2").outcome == "applied"


def test_every_claim_has_an_attempt_of_its_own_for_ever(clock: Clock) -> None:
    job = make_job(items=1)
    expire(job, clock, times=2)
    assert take(phase_of(job))[0].attempt == 3
    tell(phase_of(job), "k0", "failed", attempt=3)
    retry(job, actor=None)
    attempt = take(phase_of(job))[0].attempt
    assert attempt > 3
    release(job, all=True, actor=None)
    assert take(phase_of(job))[0].attempt > attempt
    restart(job, phase="items", actor=None)
    assert take(phase_of(job))[0].attempt > attempt + 1


@pytest.mark.parametrize(
    "take_back",
    [
        lambda job: release(job, all=True, actor=None),
        lambda job: restart(job, phase="items", actor=None),
        lambda job: restart(job, phase="items", only="failed", actor=None),
        lambda job: tell(phase_of(job), "k0", "pending", attempt=1),
    ],
    ids=["release", "restart", "restart failed", "given back"],
)
def test_a_result_under_a_lease_that_was_taken_back_is_stale(take_back: Callable[..., Any]) -> None:
    job = make_job(items=3, failed=0)
    take(phase_of(job), 1)
    settle(phase_of(job), ["failed"], start=2)
    take_back(job)
    assert (item_of(job, "k0").status, item_of(job, "k0").lease_expires_at) == ("pending", None)
    assert tell(phase_of(job), "k0", "completed", attempt=1).outcome == "stale"


def test_after_a_retry_the_result_of_an_older_attempt_is_stale() -> None:
    job = make_job(items=2)
    take(phase_of(job), 1)
    tell(phase_of(job), "k0", "failed", attempt=1)
    retry(job, actor=None)
    assert item_of(job, "k0").attempt == 2
    assert tell(phase_of(job), "k0", "completed", attempt=1).outcome == "stale"
    assert take(phase_of(job), 1)[0].attempt == 3


def test_a_worker_may_give_an_item_back() -> None:
    job = make_job(items=2)
    take(phase_of(job))
    assert tell(phase_of(job), "k0", "pending", attempt=1).outcome == "applied"
    assert (item_of(job, "k0").tries, phase_of(job).processing) == (0, 1)
    assert [item.key for item in take(phase_of(job), worker="w2")] == ["k0"]


def test_only_the_holder_may_give_an_item_back() -> None:
    job = make_job(items=1)
    take(phase_of(job))
    assert tell(phase_of(job), "k0", "pending", worker="w2").outcome == "stale"
    assert item_of(job, "k0").status == "processing"


# --- expiry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "status"), [(90, "processing"), (90.001, "pending")])
def test_a_lease_is_alive_at_its_last_second_and_expired_after(seconds: float, status: str, clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job))
    watchdog.expire_leases(clock.forward(seconds))
    assert item_of(job, "k0").status == status


def test_an_expired_item_is_pending_again_and_counted(clock: Clock) -> None:
    job = make_job(items=2)
    take(phase_of(job))
    assert watchdog.sweep(clock.forward(91))["expired"] == 2
    row = item_of(job, "k0")
    assert (row.status, row.tries, row.attempt, row.lease_expires_at) == ("pending", 1, 1, None)
    assert (phase_of(job).processing, phase_of(job).pending_items) == (0, 2)
    assert types(job).count("lease.expired") == 1
    assert watchdog.expire_leases(clock.now) == 0


def test_the_third_expiry_fails_the_item_for_good(clock: Clock) -> None:
    job = make_job(items=2, on_shortfall="fail")
    expire(job, clock, times=2)
    assert (item_of(job, "k0").status, item_of(job, "k0").tries) == ("pending", 2)
    expire(job, clock)
    row = item_of(job, "k0")
    assert (row.status, row.error, row.tries) == ("failed", "worker_timeout after 3 attempts", 3)
    job.refresh_from_db()
    assert (job.status, job.error) == ("processing", "k0 failed: worker_timeout after 3 attempts")
    complete(phase_of(job), 1, start=1)
    assert phase_of(job).job.status == "failed"


def test_the_number_of_tries_is_a_setting(clock: Clock, settings: Any) -> None:
    settings.ITEM_MAX_ATTEMPTS = 1
    job = make_job(items=2)
    expire(job, clock)
    assert item_of(job, "k0").error == "worker_timeout after 1 attempts"


def test_expiries_are_counted_anew_after_a_retry(clock: Clock) -> None:
    job = make_job(items=1, on_shortfall="fail")
    expire(job, clock, times=3)
    retry(job, actor=None)
    assert (item_of(job, "k0").tries, item_of(job, "k0").error) == (0, "")
    expire(job, clock, times=2)
    assert item_of(job, "k0").status == "pending"


def test_after_a_plain_expiry_the_result_of_the_last_holder_still_counts(clock: Clock) -> None:
    job = make_job(items=1)
    expire(job, clock)
    assert tell(phase_of(job), "k0", "completed", worker="lost", attempt=1).outcome == "applied"
    assert phase_of(job).status == "completed"


def test_once_somebody_claims_it_the_result_of_the_last_holder_is_stale_and_counts_nothing(clock: Clock) -> None:
    job = make_job(items=1)
    expire(job, clock)
    take(phase_of(job), worker="w2")
    assert tell(phase_of(job), "k0", "completed", worker="lost", attempt=1).outcome == "stale"
    assert (phase_of(job).done, item_of(job, "k0").worker) == (0, "w2")
    assert tell(phase_of(job), "k0", "completed", worker="w2", attempt=2).outcome == "applied"


def test_the_last_holder_may_still_complete_an_item_that_timed_out_for_good(clock: Clock) -> None:
    job = make_job(items=2)
    expire(job, clock, times=3)
    assert tell(phase_of(job), "k0", "completed", worker="lost", attempt=3).outcome == "applied"
    job.refresh_from_db()
    assert (phase_of(job).failed, job.error) == (0, "")


def test_a_lease_may_expire_in_a_paused_job_and_in_a_completed_phase(clock: Clock) -> None:
    paused, completed = make_job(items=2), make_job(items=10, threshold=90, trigger="at_threshold")
    for job in (paused, completed):
        take(phase_of(job))
    pause(paused, actor=None)
    complete(phase_of(completed), 9)
    assert watchdog.expire_leases(clock.forward(91)) == 3
    assert (phase_of(completed).processing, phase_of(completed).status) == (0, "completed")
    assert watchdog.recount() == []


def test_a_cancelled_job_holds_nothing_that_could_expire(clock: Clock) -> None:
    job = pipeline(PhaseSpec("a", threshold=90, trigger=Trigger.AT_THRESHOLD), PhaseSpec("b"))
    for code in "ab":
        listed(job, 10, code=code)
        tracking.announce(phase_of(job, code), expected=10, by=WORKER)
        take(phase_of(job, code))
    complete(phase_of(job, "a"), 9)
    cancel(job, actor=None)
    assert not Item.objects.held().exists()
    assert [phase_of(job, code).processing for code in "ab"] == [0, 0]
    assert watchdog.expire_leases(clock.forward(91)) == 0


def test_without_heartbeats_a_worker_is_declared_dead_once(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job))
    clock.forward(110)
    assert [watchdog.expire_leases(clock.now) for _ in range(2)] == [1, 0]
    assert item_of(job, "k0").tries == 1


def test_an_expiry_is_not_a_sign_of_life(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job))
    heard = phase_of(job).job.heartbeat_at
    watchdog.expire_leases(clock.forward(91))
    assert phase_of(job).job.heartbeat_at == heard
    assert outward(job) == []
