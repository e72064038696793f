"""Races of claims: no item has two workers, and every lease, release and result is counted once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.models import Item, Job, Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Deadlines, Result
from tests.factories import WORKER, complete, make_job
from tests.jobs.races.concurrency import assert_whole, fresh, outcomes, threads

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(8)
LATER = timedelta(hours=1)


def claim_all(phase: Phase, worker: str) -> list[str]:
    """Claim small portions until none is left; return the keys in the order of the claims."""
    keys: list[str] = []
    while claimed := tracking.claim(fresh(phase.job), worker=worker, limit=3, by=WORKER).items:
        keys += [item.key for item in claimed]
    return keys


def claim_everywhere(worker: str, code: str) -> list[tuple[int, str]]:
    """Claim from any job until none is left."""
    found: list[tuple[int, str]] = []
    while claimed := tracking.claim_any(worker=worker, phase=code, limit=4, by=WORKER).items:
        found += [(item.job, item.key) for item in claimed]
    return found


def held(job: Job) -> list[Item]:
    """Return the keys of the leased items, in order."""
    return list(Item.objects.held().filter(phase__job=job).order_by("pk"))


def test_no_item_is_claimed_twice() -> None:
    with threads(4) as team:
        for _ in range(6):
            job = make_job(items=30)
            portions = team.at_once(*[partial(claim_all, fresh(job), f"w{n}") for n in range(4)])
            assert Counter(key for keys in portions for key in keys) == Counter(f"k{n}" for n in range(30))
            assert all(keys == sorted(keys, key=lambda key: int(key[1:])) for keys in portions)
            assert assert_whole(job).processing == 30
            assert {item.worker: item.attempt for item in held(job)} == {f"w{n}": 1 for n in range(4) if portions[n]}


def test_no_item_of_any_job_is_claimed_twice() -> None:
    with threads(4) as team:
        for number in range(4):
            code = f"frames{number}"
            jobs = [make_job(items=10, phases=[PhaseSpec(code=code)]) for _ in range(4)]
            portions = team.at_once(*[partial(claim_everywhere, f"w{n}", code) for n in range(4)])
            expected = Counter((job.pk, f"k{n}") for job in jobs for n in range(10))
            assert Counter(one for portion in portions for one in portion) == expected
            assert [assert_whole(job).processing for job in jobs] == [10] * 4


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_claim_of_any_job_comes_back_empty_only_when_there_is_nothing_to_claim(jobs: int) -> None:
    with threads(4) as team:
        for number in ROUNDS:
            code = f"ample-{jobs}-{number}"
            for _ in range(jobs):
                make_job(items=20 // jobs, phases=[PhaseSpec(code=code)])
            claims = team.at_once(
                *[partial(tracking.claim_any, worker=f"w{n}", phase=code, limit=5, by=WORKER) for n in range(4)]
            )
            assert [len(claim.items) for claim in claims] == [5] * 4


def test_a_claim_and_a_report_of_the_same_item_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=1)
            phase = fresh(job)
            claim = partial(tracking.claim, phase, worker="w2", by=WORKER)
            claimed, reported = team.at_once(claim, partial(complete, phase, 1))
            assert outcomes([reported]) == ["applied"]
            phase = assert_whole(job)
            assert (phase.status, phase.done, phase.processing) == ("completed", 1, 0)
            assert len(claimed.items) == phase.items.get().attempt


def test_a_release_and_a_report_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=2)
            phase = fresh(job)
            tracking.claim(phase, worker="w1", limit=1, by=WORKER)
            tell = partial(tracking.report, phase, worker="w1", results=[Result("k0", "completed", 1)], by=WORKER)
            reported, act = team.at_once(tell, partial(operations.release, job, all=True, actor=None))
            phase, item = assert_whole(job), phase.items.get(key="k0")
            if act.changed:
                assert (outcomes([reported]), item.status, item.attempt) == (["stale"], "pending", 2)
            else:
                assert (outcomes([reported]), item.status, item.attempt) == (["applied"], "completed", 1)
            assert (phase.done, phase.processing) == (1 - act.changed, 0)


def test_an_expiry_and_a_report_leave_one_truth() -> None:
    late = timezone.now() + LATER
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=2)
            phase = fresh(job)
            tracking.claim(phase, worker="w1", limit=1, by=WORKER)
            tell = partial(tracking.report, phase, worker="w1", results=[Result("k0", "completed", 1)], by=WORKER)
            reported, expired = team.at_once(tell, partial(watchdog.expire_leases, late))
            assert outcomes([reported]) == ["applied"]
            assert (assert_whole(job).done, phase.items.get(key="k0").tries) == (1, expired)


def test_two_watchdogs_expire_each_lease_and_pass_each_watermark_once() -> None:
    late = timezone.now() + LATER
    with threads(3) as team:
        for _ in ROUNDS:
            jobs = [make_job(items=6) for _ in range(3)]
            for job in jobs:
                tracking.announce(fresh(job), expected=7, by=WORKER)
                tracking.claim(fresh(job), worker="w1", by=WORKER)
            swept = team.at_once(*[partial(watchdog.sweep, late)] * 3)
            assert sum(one["expired"] for one in swept) == 18
            for job in jobs:
                phase = assert_whole(job)
                assert (phase.status, phase.completed_by, phase.processing) == ("completed", "watermark", 0)
                assert set(phase.items.values_list("tries", flat=True)) == {1}


def test_two_watchdogs_mark_a_silent_job_once() -> None:
    late = timezone.now() + LATER
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=3, done=1)
            assert sum(team.at_once(*[partial(watchdog.find_stuck, late)] * 2)) == 1
            job.refresh_from_db()
            assert (job.stuck, job.events.filter(type="job.stuck").count()) == ("silent", 1)
            operations.cancel(job, actor=None)


def told(job: Job) -> list[str]:
    """Return the outward events about the due time and the end of a job, oldest first."""
    names = ("job.late", "job.on_time_again", "job.completed")
    return list(job.events.filter(type__in=names).order_by("pk").values_list("type", flat=True))


def due_job() -> Job:
    """Make a running job of one open item that is due in a minute."""
    return make_job(items=2, done=1, deadlines=Deadlines(due_at=timezone.now() + timedelta(minutes=1)))


def test_a_job_that_finishes_while_two_watchdogs_find_it_late_has_one_end_and_lateness_before_it() -> None:
    late = timezone.now() + LATER
    with threads(3) as team:
        for _ in ROUNDS:
            job = due_job()
            *found, _ = team.at_once(
                *[partial(watchdog.find_late, late)] * 2, partial(complete, fresh(job), 1, start=1)
            )
            job.refresh_from_db()
            assert (job.late, job.status) == (False, "completed")
            assert told(job) == ["job.late"] * sum(found) + ["job.completed"]


def test_a_due_time_that_moves_while_the_watchdog_sweeps_leaves_no_open_alarm() -> None:
    late, later = timezone.now() + LATER, timezone.now() + 2 * LATER
    with threads(2) as team:
        for _ in ROUNDS:
            job = due_job()
            found, _ = team.at_once(
                partial(watchdog.find_late, late), partial(operations.set_due, job, due_at=later, actor=None)
            )
            job.refresh_from_db()
            assert (job.late, job.due_at) == (False, later)
            assert told(job) == ["job.late", "job.on_time_again"] * found
            operations.cancel(job, actor=None)


def test_a_heartbeat_and_an_expiry_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=1)
            tracking.claim(fresh(job), worker="w1", lease_seconds=1, by=WORKER)
            late = timezone.now() + timedelta(seconds=1.2)
            ids = [item.pk for item in held(job)]
            beat, expired = team.at_once(
                partial(tracking.heartbeat, job, worker="w1", items=ids, by=WORKER),
                partial(watchdog.expire_leases, late),
            )
            item = assert_whole(job).items.get()
            assert len(beat.leases) + len(beat.lost) == 1
            assert item.status == ("pending" if expired else "processing")
            assert (item.lease_expires_at is None) == (item.status == "pending")
            operations.release(job, all=True, actor=None)


def test_two_retries_retry_each_item_once() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=5, failed=5, on_shortfall="fail")
            acts = team.at_once(*[partial(operations.retry, job, actor=None)] * 2)
            assert sorted(act.changed for act in acts) == [0, 5]
            assert set(assert_whole(job).items.values_list("status", "attempt")) == {("pending", 1)}
            assert job.events.filter(type="item.retry_requested").count() == 1


def test_a_restart_and_a_report_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=3, done=2)
            phase = fresh(job)
            reported, _ = team.at_once(
                partial(complete, phase, 1, start=2), partial(operations.restart, job, phase="items", actor=None)
            )
            phase = assert_whole(job)
            assert outcomes([reported]) == ["applied"]
            assert (phase.run, phase.status) == (2, "processing" if phase.done else "pending")
            assert phase.items.get(key="k0").attempt == 1


def test_nothing_is_claimed_once_a_pause_has_answered() -> None:
    with threads(3) as team:
        for _ in ROUNDS:
            job = make_job(items=30)
            pause = partial(operations.pause, job, actor=None)
            paused, *portions = team.at_once(pause, *[partial(claim_all, fresh(job), f"w{n}") for n in range(2)])
            job.refresh_from_db()
            assert (paused.changed, job.status) == (1, "paused")
            assert assert_whole(job).processing == sum(map(len, portions))
            at = job.events.get(type="operator.pause").at
            assert all(item.started_at <= at for item in held(job) if item.started_at)
