"""Leases: the worker of an item, the length of the lease, and the result that counts."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Item, Job, Membership, Worker
from jobs.operations import cancel, force_complete, pause, release
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Trigger
from jobs.tracking import Actor, Claimed, Result
from tests.factories import (
    WORKER,
    announce,
    complete,
    item_of,
    listed,
    make_job,
    new_items,
    operator,
    phase_of,
    pipeline,
    take,
    tell,
)
from tests.jobs.rules.conftest import Clock
from tests.jobs.rules.lease_helpers import left

pytestmark = pytest.mark.django_db


# --- claim -------------------------------------------------------------------------------------------


def test_a_claim_takes_items_in_their_order_up_to_the_limit() -> None:
    phase = phase_of(make_job(items=5))
    assert [item.key for item in take(phase, 2, worker="w1")] == ["k0", "k1"]
    assert [item.key for item in take(phase, 2, worker="w2")] == ["k2", "k3"]
    assert [item.key for item in take(phase, 2, worker="w3")] == ["k4"]
    assert take(phase, 2, worker="w4") == []


def test_the_default_limit_is_100() -> None:
    phase = phase_of(make_job(items=250))
    numbers = [len(tracking.claim(phase, worker="w1", by=WORKER).items) for _ in range(4)]
    assert numbers == [100, 100, 50, 0]


def test_a_claimed_item_carries_its_fence_and_its_lease(clock: Clock) -> None:
    job = make_job(items=2)
    [item] = take(phase_of(job), 1)
    assert (item.key, item.attempt, item.job, item.phase) == ("k0", 1, job.pk, "items")
    assert (item.lease_expires_at - clock.now).total_seconds() == 90
    row = item_of(job, "k0")
    assert (row.status, row.worker, row.attempt, row.lease_seconds) == ("processing", "w1", 1, 90)
    assert (phase_of(job).processing, phase_of(job).status) == (1, "processing")


def test_a_lease_may_have_a_length_of_its_own(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job), seconds=7)
    assert left(job, clock) == 7


def test_an_empty_claim_says_why() -> None:
    def reason(job: Job) -> str | None:
        return tracking.claim(phase_of(job), worker="w1", by=WORKER).reason

    paused, cancelled, forced, failed = (make_job(items=2) for _ in range(4))
    pause(paused, actor=None)
    cancel(cancelled, actor=None)
    force_complete(forced, actor=None, reason="enough")
    tracking.report(phase_of(failed), results=[Result("k0", "failed")], by=WORKER)
    assert [reason(job) for job in (paused, cancelled, forced)] == ["paused", "closed", "closed"]
    assert reason(make_job(items=1, done=1)) == "none_pending"
    assert reason(make_job(items=1, failed=1, on_shortfall="fail")) == "closed"
    assert reason(make_job()) == "none_pending"


def test_an_empty_claim_changes_nothing() -> None:
    job = make_job(items=1, done=1)
    revision = phase_of(job).job.revision
    assert take(phase_of(job)) == []
    assert phase_of(job).job.revision == revision


def test_the_account_is_recorded_beside_the_worker() -> None:
    job, account = make_job(items=1), operator()
    tracking.claim(phase_of(job), worker="gpu-7", by=Actor(account=account, name="gpu-7"))
    assert (item_of(job, "k0").worker, item_of(job, "k0").account) == ("gpu-7", account)
    row = Worker.objects.get(name="gpu-7")
    assert (row.account, row.job) == (account, job)


# --- the common claim --------------------------------------------------------------------------------


def common(**fields: Any) -> Claimed:
    return tracking.claim_any(worker="w1", phase="items", by=WORKER, **fields)


def test_the_common_claim_takes_the_oldest_items_of_any_job() -> None:
    first, second = make_job(items=2), make_job(items=2)
    claimed = common(limit=3).items
    assert [(item.job, item.key) for item in claimed] == [(first.pk, "k0"), (first.pk, "k1"), (second.pk, "k0")]
    assert [item.attempt for item in claimed] == [1, 1, 1]
    assert (phase_of(first).processing, phase_of(second).processing) == (2, 1)


def test_the_common_claim_asks_for_a_phase_and_perhaps_a_kind() -> None:
    make_job(items=1)
    vision = pipeline(PhaseSpec("video.embeddings"), kind="vision", items=new_items(1))
    assert common(kind="vision").items == []
    found = tracking.claim_any(worker="w1", phase="video.embeddings", kind="vision", by=WORKER).items
    assert [item.job for item in found] == [vision.pk]


def test_the_common_claim_passes_over_jobs_that_are_held_or_over() -> None:
    paused, cancelled, open_job = (make_job(items=2) for _ in range(3))
    pause(paused, actor=None)
    cancel(cancelled, actor=None)
    make_job(items=10, done=9, threshold=90, trigger="at_threshold")
    assert {item.job for item in common().items} == {open_job.pk}
    assert common().reason == "none_pending"


def test_the_common_claim_passes_over_a_completed_phase_of_a_job_that_goes_on() -> None:
    job = pipeline(PhaseSpec("items", threshold=90, trigger=Trigger.AT_THRESHOLD), PhaseSpec("rest"))
    announce(job, 10)
    complete(listed(job, 10, code="items"), 9)
    assert (phase_of(job).status, phase_of(job).job.status) == ("completed", "processing")
    assert common().reason == "none_pending"
    assert [item.key for item in take(phase_of(job))] == ["k9"]


def test_the_common_claim_sees_only_the_projects_of_its_account() -> None:
    make_job(items=1, project="theirs")
    ours = make_job(items=1, project="ours")
    account = operator()
    Membership.objects.create(user=account, project="ours")
    claimed = tracking.claim_any(worker="w1", phase="items", by=Actor(account=account)).items
    assert [item.job for item in claimed] == [ours.pk]


# --- renewal -----------------------------------------------------------------------------------------


def test_a_report_of_processing_takes_a_pending_item_with_the_default_lease(clock: Clock) -> None:
    job = make_job(items=1)
    assert tell(phase_of(job), "k0", "processing").outcome == "applied"
    row = item_of(job, "k0")
    assert (row.status, row.attempt, row.worker, left(job, clock)) == ("processing", 1, "w1", 90)


def test_a_report_of_processing_renews_the_lease_by_its_own_length(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job), seconds=600)
    clock.forward(500)
    assert tell(phase_of(job), "k0", "processing", attempt=1).outcome == "duplicate"
    assert (left(job, clock), item_of(job, "k0").attempt) == (600, 1)


def test_a_report_of_processing_by_another_worker_is_stale(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job))
    clock.forward(50)
    assert tell(phase_of(job), "k0", "processing", worker="w2").outcome == "stale"
    assert (item_of(job, "k0").worker, left(job, clock)) == ("w1", 40)


def test_a_heartbeat_renews_the_leases_that_it_names(clock: Clock) -> None:
    job = make_job(items=3)
    ids = [item.id for item in take(phase_of(job), seconds=120)]
    clock.forward(100)
    beat = tracking.heartbeat(job, worker="w1", items=ids[:1], by=WORKER)
    assert (left(job, clock, "k0"), left(job, clock, "k1")) == (120, 20)
    assert [(pk, (until - clock.now).total_seconds()) for pk, until in beat.leases] == [(ids[0], 120)]
    assert beat.lost == []


def test_a_heartbeat_without_names_renews_all_that_this_worker_holds_in_the_job(clock: Clock) -> None:
    job, other = make_job(items=3), make_job(items=1)
    take(phase_of(job), 2, worker="w1")
    take(phase_of(job), 1, worker="w2")
    take(phase_of(other), 1, worker="w1")
    clock.forward(50)
    beat = tracking.heartbeat(job, worker="w1", by=WORKER)
    assert len(beat.leases) == 2
    assert [left(job, clock, f"k{n}") for n in range(3)] == [90, 90, 40]
    assert left(other, clock) == 40


def test_a_heartbeat_lists_what_the_worker_does_not_hold_as_lost_and_changes_nothing_of_it(clock: Clock) -> None:
    job = make_job(items=3)
    [mine] = take(phase_of(job), 1, worker="w1")
    [theirs] = take(phase_of(job), 1, worker="w2")
    free = item_of(job, "k2").pk
    clock.forward(10)
    beat = tracking.heartbeat(job, worker="w1", items=[theirs.id, mine.id, free, 999_999], by=WORKER)
    assert beat.lost == [theirs.id, free, 999_999]
    assert (left(job, clock, "k1"), item_of(job, "k2").status) == (80, "pending")


def test_a_heartbeat_tells_of_a_cancel() -> None:
    job = make_job(items=1)
    [item] = take(phase_of(job))
    cancel(job, actor=None)
    beat = tracking.heartbeat(job, worker="w1", items=[item.id], by=WORKER)
    assert (beat.job_status, beat.cancel_requested, beat.lost) == ("cancelled", True, [item.id])


def test_a_worker_that_beats_for_110_seconds_is_never_taken_for_dead(clock: Clock) -> None:
    job = make_job(items=1)
    take(phase_of(job))
    for _ in range(11):
        clock.forward(10)
        tracking.heartbeat(job, worker="w1", by=WORKER)
        assert watchdog.expire_leases(clock.now) == 0
    assert item_of(job, "k0").tries == 0


def test_an_item_held_without_a_lease_gets_none_by_a_heartbeat_and_never_expires(clock: Clock) -> None:
    job = held_without_lease()
    beat = tracking.heartbeat(job, worker="w1", by=WORKER)
    assert (beat.leases, left(job, clock)) == ([], None)
    assert watchdog.expire_leases(clock.forward(10**6)) == 0
    assert release(job, actor=None).changed == 1
    assert item_of(job, "k0").status == "pending"


def test_an_item_held_without_a_lease_is_not_lost() -> None:
    job = held_without_lease()
    assert tracking.heartbeat(job, worker="w1", items=[item_of(job, "k0").pk], by=WORKER).lost == []


def held_without_lease() -> Job:
    job = make_job(items=1)
    take(phase_of(job))
    Item.objects.update(lease_seconds=None, lease_expires_at=None)
    return job
