"""Locked jobs: only a few of their own workers wait, and for a short time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from jobs import tracking
from jobs.change import JobLocked, lock_waiters
from jobs.change.lock_waiters import WAITING_FOR_ONE, waiters
from jobs.models import Job, Phase
from jobs.tracking import Result
from tests.factories import WORKER, make_job, outcomes
from tests.jobs.api.conftest import Api
from tests.jobs.races.concurrency import fresh, locked, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

THREADS = 12


class Desk:
    """Threads that report, each on a connection that waits at most `patience` for a lock."""

    def __init__(self, patience: str) -> None:
        self.patience = patience
        self.threads = ThreadPoolExecutor(THREADS)

    def call(self, act: Any) -> Future[Any]:
        """Start an act in a thread."""
        return self.threads.submit(self._call, act)

    def report(self, phase: Phase, number: int) -> Future[Any]:
        """Start the report of one item."""
        results = [Result(f"k{number}", "completed")]
        return self.call(partial(tracking.report, phase, worker="w1", results=results, by=WORKER))

    def _call(self, act: Any) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{self.patience}'")
            return act()
        finally:
            # The pool would give the connection, with its lock timeout, to other tests.
            if connection.connection is not None:
                connection.connection.close()
            connections.close_all()


@contextmanager
def desk(patience: str = "20s") -> Iterator[Desk]:
    """Provide threads that report, and end them after the test."""
    made = Desk(patience)
    try:
        yield made
    finally:
        made.threads.shutdown()


def waiting_for(job: Job) -> int:
    """Return the number of threads that wait for the lock of a job."""
    return len(waiters._since.get(job.pk, ()))


def test_reports_of_other_jobs_do_not_wait_for_a_locked_job() -> None:
    busy, other = make_job(items=2), make_job(items=3)
    with desk() as team, locked(busy) as free:
        first = team.report(fresh(busy), 0)
        until(lambda: waiting_for(busy) == 1)
        second = team.report(fresh(busy), 1)
        for number in range(3):
            assert outcomes(team.report(fresh(other), number).result(10)) == ["applied"]
        assert [each.done() for each in (first, second)] == [False, False]
        free.set()
        assert [outcomes(each.result(10)) for each in (first, second)] == [["applied"]] * 2
    assert [fresh(job).status for job in (busy, other)] == ["completed"] * 2


def test_only_a_few_reports_wait_for_a_locked_job_and_the_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_waiters, "GRACE", 0.1)
    job = make_job(items=THREADS)
    with desk() as team, locked(job) as free:
        reports = [team.report(fresh(job), number) for number in range(THREADS)]
        until(lambda: sum(each.done() for each in reports) == THREADS - WAITING_FOR_ONE)
        refused = [each.exception() for each in reports if each.done()]
        free.set()
        taken = [outcomes(each.result(10)) for each in reports if each.exception(10) is None]
    assert {type(error) for error in refused} == {JobLocked}
    assert taken == [["applied"]] * WAITING_FOR_ONE
    assert fresh(job).done == WAITING_FOR_ONE


def test_a_lock_that_is_not_to_be_had_is_waited_for_by_all_reports_of_its_job_at_once() -> None:
    job = make_job(items=WAITING_FOR_ONE)
    with desk("400ms") as team, locked(job):
        begun = monotonic()
        reports = [team.report(fresh(job), number) for number in range(WAITING_FOR_ONE)]
        errors = [each.exception(10) for each in reports]
        assert monotonic() - begun < 1.2
    assert all(isinstance(error, OperationalError) for error in errors)
    assert fresh(job).done == 0


def test_only_a_few_threads_wait_for_the_lock_of_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_waiters, "GRACE", 0.1)
    job = make_job(items=1)
    with desk() as team, locked(job) as free:
        beat = partial(tracking.heartbeat, job, worker="w1", by=WORKER)
        beats = [team.call(beat) for _ in range(WAITING_FOR_ONE + 3)]
        until(lambda: sum(each.done() for each in beats) == 3)
        free.set()
        errors = [each.exception(10) for each in beats]
    assert sorted(type(error).__name__ for error in errors) == ["JobLocked"] * 3 + ["NoneType"] * WAITING_FOR_ONE


def test_a_claim_of_any_job_passes_over_a_job_that_stays_locked() -> None:
    busy, other = make_job(items=1), make_job(items=1)
    claim = partial(tracking.claim_any, worker="w1", phase="items", limit=2, by=WORKER)
    with locked(busy):
        assert [item.job for item in claim().items] == [other.pk]
        with pytest.raises(JobLocked):
            claim()
    assert [item.job for item in claim().items] == [busy.pk]
    assert claim().items == []


def test_a_locked_job_is_a_503_that_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_waiters, "WAITING_FOR_ONE", 0)
    monkeypatch.setattr(lock_waiters, "GRACE", 0.0)
    job = make_job(items=1)
    worker = Api("worker")
    with locked(job):
        body = {"worker": "w1", "results": [{"key": "k0", "status": "completed"}]}
        answer = worker.post(f"/jobs/{job.pk}/phases/items/report", body)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "unavailable"
