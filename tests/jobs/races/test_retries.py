"""Races of retries: a failure, a claim of the due item, an operator's retry and a late success at the same moment."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from jobs import operations, tracking
from jobs.models import Attempt, Event, Item, Job, Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Result
from tests.factories import WORKER, make_job
from tests.jobs.races.concurrency import assert_whole, fresh, outcomes, threads

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(6)


def waiting_job(*, items: int = 1, due: bool = True) -> Job:
    """Make a job whose items failed once and wait for their retry, which is due."""
    job = make_job(items=items, phases=[PhaseSpec(code="items", retries=5)])
    claimed = tracking.claim(fresh(job), worker="w1", by=WORKER).items
    results = [Result(item.key, "failed", item.attempt, error="no") for item in claimed]
    tracking.report(fresh(job), worker="w1", results=results, by=WORKER)
    if due:
        at = timezone.now() - timedelta(seconds=1)
        Item.objects.filter(phase__job=job).update(available_at=at)
        Phase.objects.filter(job=job).update(next_due_at=at)
    return job


def assert_waiting(job: Job) -> Phase:
    """Check that the counters equal the items, and return the phase."""
    phase = assert_whole(job)
    assert phase.waiting == Item.objects.filter(phase=phase, available_at__isnull=False).count()
    assert (phase.next_due_at is None) == (phase.waiting == 0)
    return phase


def report(job: Job, status: str, *, attempt: int = 1) -> partial[tracking.Reported]:
    result = Result("k0", status, attempt, error="again")
    return partial(tracking.report, fresh(job), worker="w1", results=[result], by=WORKER)


def claim(job: Job, worker: str) -> partial[tracking.Claimed]:
    return partial(tracking.claim, fresh(job), worker=worker, limit=3, by=WORKER)


def test_a_due_item_is_claimed_once() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job = waiting_job(items=10)
            claims = team.at_once(*[claim(job, f"w{n}") for n in range(4)])
            keys = [item.key for claimed in claims for item in claimed.items]
            assert sorted(keys) == sorted(f"k{n}" for n in range(10))
            assert (assert_waiting(job).processing, fresh(job).waiting) == (10, 0)


def test_a_repeated_failure_and_a_claim_of_the_due_item_leave_one_failure() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = waiting_job()
            claimed, told = team.at_once(claim(job, "w2"), report(job, "failed"))
            assert outcomes([told]) in (["duplicate"], ["stale"])
            assert [item.attempt for item in claimed.items] == [2]
            item = fresh(job).items.get()
            assert (item.failures, item.status, assert_waiting(job).processing) == (1, "processing", 1)


def test_a_late_success_and_a_claim_of_the_due_item_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = waiting_job()
            claimed, told = team.at_once(claim(job, "w2"), report(job, "completed"))
            phase = assert_waiting(job)
            assert (outcomes([told]) == ["applied"]) == (not claimed.items)
            assert (phase.done, phase.processing) == ((1, 0) if not claimed.items else (0, 1))


def test_an_operators_retry_and_a_claim_of_the_due_item_hand_it_out_once() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = waiting_job()
            act = partial(operations.retry, Job.objects.get(pk=job.pk), actor=None)
            claimed, acted = team.at_once(claim(job, "w2"), act)
            item = fresh(job).items.get()
            assert [each.attempt for each in claimed.items] == [item.attempt]
            assert item.failures == 1 - acted.changed
            assert assert_waiting(job).processing == 1


def test_failures_of_many_workers_are_all_counted_and_kept() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job = make_job(items=12, phases=[PhaseSpec(code="items", retries=1)])
            shares = [claim(job, f"w{n}")().items for n in range(4)]
            team.at_once(
                *[
                    partial(
                        tracking.report,
                        fresh(job),
                        worker=f"w{n}",
                        results=[Result(item.key, "failed", item.attempt, error="no") for item in share],
                        by=WORKER,
                    )
                    for n, share in enumerate(shares)
                ]
            )
            phase = assert_waiting(job)
            assert (phase.waiting, phase.failed, phase.processing) == (12, 0, 0)
            assert Attempt.objects.filter(item__phase=phase, outcome="failed").count() == 12
            assert phase.next_due_at == min(phase.items.values_list("available_at", flat=True))


def test_two_results_that_make_a_partial_phase_whole_send_one_amended_event() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(items=3, done=1, failed=2)
            operations.retry(job, actor=None)
            items = tracking.claim(fresh(job), worker="w1", by=WORKER).items
            team.at_once(
                *[
                    partial(
                        tracking.report,
                        fresh(job),
                        worker="w1",
                        results=[Result(item.key, "completed", item.attempt)],
                        by=WORKER,
                    )
                    for item in items
                ]
            )
            assert assert_waiting(job).done == 3
            assert Event.objects.filter(job=job, type="items.amended").count() == 1
