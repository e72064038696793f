"""The guards against races: without a guard, the damage is visible."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections

from jobs import tracking, watchdog
from jobs.change import ConcurrentModification
from jobs.db import bulk_load
from jobs.models import Job
from tests.factories import WORKER, make_job
from tests.jobs.races.concurrency import ThreadTeam, fresh, threads

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20


def count_often(job: Job) -> None:
    """Count one item at a time."""
    for _ in range(10):
        tracking.count(fresh(job), done=1, event_id=uuid4(), by=WORKER)


def count_in_rounds(team: ThreadTeam, job: Job) -> None:
    """Count at once, again and again."""
    for _ in range(ROUNDS):
        team.at_once(*[partial(count_often, job)] * 4)


def claim_often(job: Job, worker: str) -> int:
    """Claim one item at a time and return the number of lost races."""
    lost = 0
    for _ in range(10):
        try:
            tracking.claim(fresh(job), worker=worker, limit=1, by=WORKER)
        except ConcurrentModification:
            lost += 1
    return lost


def without_lock() -> AbstractContextManager[Any]:
    """Load the rows of jobs without locking them."""
    load = bulk_load.load
    return patch.object(bulk_load, "load", lambda *rows, lock="", **options: load(*rows, **options))


@pytest.mark.postgres
def test_without_the_lock_on_the_job_counts_are_lost() -> None:
    with without_lock(), threads(4) as team:
        for _ in range(ROUNDS):
            job = make_job(expected=1000)
            tracking.start(fresh(job), by=WORKER)
            team.at_once(*[partial(count_often, job)] * 4)
            if fresh(job).done < 40:
                return
    raise AssertionError("Forty counts at once, and all of them were kept without a lock.")


@pytest.mark.postgres
def test_without_the_lock_on_the_job_the_guard_of_the_items_stops_a_second_claim() -> None:
    with without_lock(), threads(4) as team:
        for _ in range(ROUNDS):
            job = make_job(items=40)
            lost = sum(team.at_once(*[partial(claim_often, job, f"w{n}") for n in range(4)]))
            assert set(fresh(job).items.values_list("attempt", flat=True)) <= {0, 1}
            if lost and watchdog.recount():
                return
    raise AssertionError("Concurrent claims without a lock did no damage.")


def test_without_immediate_transactions_sqlite_refuses_writers() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("Only SQLite needs an early lock.")
    options = connections.settings["default"]["OPTIONS"]
    locked = pytest.raises(OperationalError, match="locked")
    with patch.dict(options, transaction_mode="DEFERRED"), threads(4) as team, locked:
        count_in_rounds(team, make_job(expected=1000))
