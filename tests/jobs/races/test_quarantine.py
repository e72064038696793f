"""Races of quarantine: claims, reports and the quarantine of one worker at the same moment."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from jobs import operations, tracking
from jobs.change import Actor
from jobs.models import Item, Job, Quarantine
from jobs.tracking import Result
from tests.factories import make_job, outward
from tests.jobs.races.concurrency import assert_whole, fresh, threads

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 6


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    settings.WORKER_FAILURE_LIMIT = LIMIT


def work(job: Job, worker: str, status: str, *, times: int = 12) -> None:
    """Claim and report a few items at a time."""
    by = Actor(name=worker)
    for _ in range(times):
        items = tracking.claim(fresh(job), worker=worker, limit=2, by=by).items
        results = [Result(item.key, status, attempt=item.attempt, error="disk full") for item in items]
        if results:
            tracking.report(fresh(job), worker=worker, results=results, by=by)


def test_one_worker_in_two_processes_is_quarantined_once_and_holds_nothing_afterwards() -> None:
    with threads(4) as team:
        for _ in range(3):
            job = make_job(items=200)
            tracking.claim(fresh(job), worker="good", limit=1, by=Actor(name="good"))
            bad, good = partial(work, job, "bad", "failed"), partial(work, job, "good", "completed")
            team.at_once(bad, bad, good, good)
            phase = assert_whole(job)
            assert phase.quarantined == Quarantine.objects.filter(phase=phase).count() == 1
            assert len(outward(job, "job.worker_quarantined")) == 1
            assert not Item.objects.held().filter(phase=phase, worker="bad").exists()
            # Two processes may each hold one portion when the limit is reached.
            assert LIMIT <= phase.failed <= LIMIT + 4
            assert phase.done == 48


def test_after_the_pause_claims_at_the_same_moment_get_one_item_together() -> None:
    with threads(3) as team:
        for _ in range(4):
            job = make_job(items=50)
            tracking.claim(fresh(job), worker="good", limit=1, by=Actor(name="good"))
            work(job, "bad", "failed", times=LIMIT)
            Quarantine.objects.update(until=timezone.now() - timedelta(seconds=1))
            one = partial(tracking.claim, fresh(job), worker="bad", limit=5, by=Actor(name="bad"))
            common = partial(tracking.claim_any, worker="bad", phase="items", limit=5, by=Actor(name="bad"))
            answers = team.at_once(one, one, common)
            assert sum(len(answer.items) for answer in answers) == 1
            assert assert_whole(job).processing == 2
            operations.cancel(job, actor=None)


def test_a_lift_and_a_renewal_at_the_same_moment_leave_the_count_true() -> None:
    with threads(2) as team:
        for _ in range(4):
            job = make_job(items=50)
            tracking.claim(fresh(job), worker="good", limit=1, by=Actor(name="good"))
            work(job, "bad", "failed", times=LIMIT)
            Quarantine.objects.update(until=timezone.now() - timedelta(seconds=1))
            team.at_once(partial(work, job, "bad", "failed", times=1), partial(operations.lift, job, actor=None))
            phase = assert_whole(job)
            assert phase.quarantined == Quarantine.objects.filter(phase=phase).count() == 0
