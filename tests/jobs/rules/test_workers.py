"""Rows of workers: version, message, and the applied results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs import tracking, watchdog
from jobs.change import Actor
from jobs.models import Job, Worker, WorkerTally
from jobs.models.workers import slot_of
from jobs.tracking import Batch, Result
from tests.factories import make_job, phase_of, take, tell
from tests.jobs.test_sql_pins import statements

pytestmark = pytest.mark.django_db
_numbers = count(1)


def beat(job: Job, *, version: str = "", message: str = "", worker: str = "w1") -> Worker:
    """Send a heartbeat and return the stored worker."""
    tracking.heartbeat(job, worker=worker, message=message, by=Actor(name=worker, version=version))
    return Worker.objects.get(name=worker)


def counted(worker: str = "w1") -> tuple[int, int]:
    """Sum the counts of a worker over all slots."""
    rows = WorkerTally.objects.filter(worker=worker)
    return sum(row.done for row in rows), sum(row.failed for row in rows)


def test_what_a_worker_does_not_say_stays_as_it_said_it_before() -> None:
    job = make_job(items=3)
    beat(job, version="ocr-1.4.2", message="page 1")
    assert (beat(job).version, beat(job).message) == ("ocr-1.4.2", "page 1")
    assert beat(job, message="page 2").version == "ocr-1.4.2"
    later = beat(job, version="ocr-1.5.0")
    assert (later.version, later.message) == ("ocr-1.5.0", "page 2")


def test_a_claim_and_a_report_tell_the_version_too() -> None:
    phase = phase_of(make_job(items=3))
    tracking.claim(phase, worker="w1", by=Actor(name="w1", version="1"))
    assert Worker.objects.get(name="w1").version == "1"
    tracking.report(phase, worker="w1", results=[Result("k0", "completed")], by=Actor(name="w1", version="2"))
    assert Worker.objects.get(name="w1").version == "2"


def test_the_tally_of_a_worker_counts_what_was_applied_and_no_repetition() -> None:
    phase = phase_of(make_job(items=5))
    results = [Result("k0", "completed"), Result("k1", "failed", error="no"), Result("k2", "skipped")]
    for _ in range(3):
        tracking.report(phase, worker="w1", results=results, by=Actor(name="w1"))
    tell(phase, "k1", "completed")
    tell(phase, "k0", "failed")
    tell(phase, "unknown-key", "completed")
    assert counted() == (2, 1)


def test_a_lease_that_expires_is_no_failure_of_the_worker() -> None:
    phase = phase_of(make_job(items=1))
    for _ in range(3):
        take(phase, worker="w1", seconds=1)
        watchdog.expire_leases(timezone.now() + timedelta(minutes=5))
    assert phase_of(phase.job).failed == 1
    assert counted() == (0, 0)


def test_nothing_is_counted_of_a_report_that_is_rolled_back() -> None:
    phase = phase_of(make_job(items=2))
    counting = make_job(name=f"counted-{next(_numbers)}")
    tracking.count(phase_of(counting), done=1, event_id="6f1c1a3e-8f0b-4b7e-9a57-0d2f4f6f2c11", by=Actor())  # type: ignore[arg-type]
    batches = [
        Batch(phase, "w1", [Result("k0", "completed")], Actor(name="w1")),
        Batch(phase_of(counting), "w1", [Result("k0", "completed")], Actor(name="w1")),
    ]
    with pytest.raises(Exception, match="counted without items"):
        tracking.report_many(batches)
    assert counted() == (0, 0)


def test_the_reports_of_a_moment_are_counted_for_each_worker_in_one_statement() -> None:
    phase = phase_of(make_job(items=40))

    def batches(start: int, workers: int) -> list[Batch]:
        return [
            Batch(phase, f"w{n % workers}", [Result(f"k{start + n}", "completed")], Actor(name=f"w{n % workers}"))
            for n in range(10)
        ]

    tracking.report_many(batches(0, 1))
    few = statements(lambda: tracking.report_many(batches(10, 1)))
    many = statements(lambda: tracking.report_many(batches(20, 10)))
    assert len([sql for sql in many if "jobs_workertally" in sql]) == 1
    assert len(few) == len(many)
    assert (counted("w0"), counted("w5")) == ((21, 0), (1, 0))


def test_a_slot_has_five_minutes() -> None:
    at = datetime(2026, 11, 21, 13, 34, 51, 7, tzinfo=UTC)
    assert slot_of(at) == datetime(2026, 11, 21, 13, 30, tzinfo=UTC)


def test_prune_forgets_workers_that_are_long_gone_and_hold_nothing() -> None:
    now = timezone.now()
    phase = phase_of(make_job(items=2))
    take(phase, 1, worker="holds")
    for name, days in (("holds", 60), ("old", 31), ("young", 29)):
        Worker.objects.update_or_create(name=name, defaults={"seen_at": now - timedelta(days=days)})
        WorkerTally.objects.create(worker=name, slot=slot_of(now - timedelta(days=8 if name == "old" else 1)), done=1)
    assert watchdog.prune(dry_run=True).workers == 1
    assert Worker.objects.filter(name="old").exists()
    assert watchdog.prune().workers == 1
    assert set(Worker.objects.values_list("name", flat=True)) == {"holds", "young"}
    assert set(WorkerTally.objects.values_list("worker", flat=True)) == {"holds", "young"}


def test_stored_workers_and_tallies_are_given_to_their_accounts_and_projects() -> None:
    account, job, now = User.objects.create(username="fleet"), make_job(items=1, project="a"), timezone.now()
    fields = {"seen_at": now, "message": "of any project", "failed_in_a_row": 9}
    Worker.objects.create(name="w1", account=account, job=job, **fields)
    Worker.objects.create(name="tracker", **fields)
    for name in ("w1", "tracker", "unknown"):
        WorkerTally.objects.create(worker=name, slot=slot_of(now), done=3)
    migration = import_module("jobs.migrations.0020_workers_of_accounts")
    migration.give_to_accounts(apps, SimpleNamespace(connection=connection))
    rows = Worker.objects.order_by("pk").values_list("name", "owner", "project", "message", "failed_in_a_row")
    assert list(rows) == [("w1", account.pk, "a", "", 0), ("tracker", 0, "", "", 0)]
    assert dict(WorkerTally.objects.values_list("worker", "owner")) == {"w1": account.pk, "tracker": 0, "unknown": 0}
