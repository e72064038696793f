"""Incidents under concurrency: one open row for each cause, and none that stays open or loses its jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event as Signal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from jobs import incidents, operations, tracking, watchdog
from jobs.change.transactions import unit_of_work
from jobs.incidents import Cause, Finding, lifecycle, open_incidents
from jobs.models import Incident, IncidentJob, Job, Notification, Phase, RowFailure
from jobs.operations import INCIDENT_ACTS
from jobs.rules.incidents import IncidentKind
from jobs.watchdog import incident_findings
from jobs.watchdog import incidents as upkeep
from tests.factories import WORKER, make_job, phase_of
from tests.jobs.outbox.rabbit import wait_until
from tests.jobs.races.concurrency import threads
from tests.plan import size

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(8)
MANY, PORTION = size(1_000, full=10_000), 100
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def failing(job: Job, error: str) -> Callable[[], Any]:
    """Return an act that fails the only item of a job, and so the job."""
    call = tracking.Batch(phase_of(job), "w1", [tracking.Result("k0", "failed", error=error)], WORKER)
    return lambda: tracking.report_many([call])


def make_last() -> Job:
    """Make a job of one item that fails with it."""
    return make_job(items=1, on_shortfall="fail")


def assert_whole() -> None:
    """Check that each cause has one open incident at most, and that exactly the failed jobs are in an open one."""
    causes = list(Incident.objects.ongoing().values_list("kind", "project", "cause"))
    assert len(causes) == len(set(causes))
    present = IncidentJob.objects.present()
    assert not present.filter(incident__ended_at__isnull=False).exists()
    failed = Job.objects.filter(status="failed").values_list("pk", flat=True)
    assert sorted(present.values_list("job_id", flat=True)) == sorted(failed)


def test_four_jobs_that_fail_at_once_open_one_incident() -> None:
    with threads(4) as team:
        for number in ROUNDS:
            jobs = [make_last() for _ in range(4)]
            team.at_once(*[failing(job, f"{'abcdefgh'[number]} is full") for job in jobs])
            incident = Incident.objects.latest("pk")
            assert incident.members.count() == 4
            assert incident.entries.filter(act="opened").count() == 1
            assert_whole()
    assert Incident.objects.count() == len(ROUNDS)


def test_four_jobs_that_fail_at_once_reopen_one_incident() -> None:
    with threads(4) as team:
        for number in ROUNDS:
            jobs = [make_last() for _ in range(4)]
            team.at_once(*[failing(job, "disk full") for job in jobs])
            incident = Incident.objects.get()
            assert incident.reopened == number
            for job in jobs:
                operations.retry(job, actor=None)
            incident.refresh_from_db()
            assert incident.is_over


def test_jobs_that_leave_while_others_join_lose_no_incident() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            before = [make_last() for _ in range(2)]
            for job in before:
                failing(job, "disk full")()
            joining = [make_last() for _ in range(2)]
            retries = [partial(operations.retry, job, actor=None) for job in before]
            team.at_once(*retries, *[failing(job, "disk full") for job in joining])
            watchdog.sweep()
            assert_whole()
            for job in joining:
                operations.retry(job, actor=None)
            assert not Incident.objects.ongoing().exists()


def test_a_job_that_joins_while_an_operator_resolves_is_in_an_open_incident() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            failing(make_last(), "disk full")()
            incident = Incident.objects.ongoing().get()
            resolve = partial(INCIDENT_ACTS["resolve"], incident, actor=None, reason="It is old.")
            job = make_last()
            team.at_once(failing(job, "disk full"), resolve)
            rows = IncidentJob.objects.filter(job=job)
            assert {row.incident.is_over for row in rows if row.left_at is None} <= {False}
            for other in Incident.objects.ongoing():
                INCIDENT_ACTS["resolve"](other, actor=None, reason="It is old.")


@pytest.mark.postgres
def test_the_last_job_leaves_while_an_operator_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Signal()

    def remaining(incidents: set[int]) -> set[int]:
        left.set()
        wait_until(lambda: is_any_lock_awaited() or not Incident.objects.ongoing().exists(), seconds=10)
        return without_jobs(incidents)

    def resolve() -> object:
        left.wait(timeout=30)
        return INCIDENT_ACTS["resolve"](incident, actor=None, reason="It is old.")

    job = make_last()
    failing(job, "disk full")()
    incident = Incident.objects.ongoing().get()
    without_jobs = lifecycle._without_jobs
    monkeypatch.setattr(lifecycle, "_without_jobs", remaining)
    with threads(2) as team:
        team.at_once(partial(operations.retry, job, actor=None), resolve)
    assert not Incident.objects.ongoing().exists()
    assert_whole()


def test_a_job_that_an_ended_incident_has_kept_leaves_it() -> None:
    failing(make_last(), "disk full")()
    Incident.objects.update(state="resolved", ended_at=timezone.now(), ended_by="system")
    watchdog.reconcile()
    assert not IncidentJob.objects.present().filter(incident__ended_at__isnull=False).exists()


def is_any_lock_awaited() -> bool:
    """Does a transaction wait for a lock of another one?"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')")
        return cursor.fetchone() is not None


def test_two_watchdogs_open_a_cause_once() -> None:
    with threads(2) as team:
        for number in ROUNDS:
            cause = Cause(IncidentKind.DELIVERY_LAG, about=f"endpoint {number}", title="Deliveries are delayed")
            team.at_once(*[partial(watchdog_opens, cause)] * 2)
            assert Incident.objects.filter(cause=cause.about).count() == 1


def watchdog_opens(cause: Cause) -> None:
    """Open a cause in a transaction of its own."""
    with transaction.atomic():
        open_incidents([Finding(cause, subjects=1)], now=timezone.now())


@pytest.mark.postgres
def test_a_job_that_another_transaction_holds_does_not_keep_the_others_waiting() -> None:
    jobs = [make_job(items=1) for _ in range(3)]
    make_silent()
    held, free = Signal(), Signal()

    def hold() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=jobs[0].pk)
            held.set()
            assert free.wait(timeout=30)

    def sweep() -> int:
        held.wait(timeout=30)
        return watchdog.find_stuck()

    def look() -> set[int]:
        wait_until(lambda: Job.objects.filter(stuck="silent").count() == 2, seconds=10)
        free.set()
        return set(Job.objects.filter(stuck="silent").values_list("pk", flat=True))

    with threads(3) as team:
        _, marked, before = team.at_once(hold, sweep, look)
    assert (marked, before) == (3, {jobs[1].pk, jobs[2].pk})


def make_silent() -> None:
    """Let every job have begun long ago, and no worker have been heard since."""
    Phase.objects.update(status="processing", started_at=LONG_AGO)
    Job.objects.update(status="processing", started_at=LONG_AGO, heartbeat_at=LONG_AGO, watched_from=LONG_AGO)


@pytest.mark.full
def test_many_jobs_that_get_stuck_at_once_are_one_incident_and_one_message_to_each_channel(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:25"
    channels = [
        operations.add_channel(name=name, kind="mail", addresses=["a@example.com"], actor=None) for name in "ab"
    ]
    for channel in channels:
        operations.add_rule(channel, actor=None)
    for _ in range(MANY // PORTION):
        with unit_of_work():
            for _ in range(PORTION):
                make_job(items=1)
    make_silent()
    while Job.objects.filter(stuck="").exists():
        assert watchdog.sweep()["stuck"]
    incident = Incident.objects.get()
    assert (incident.subjects, incident.entries.count()) == (MANY, 1)
    assert watchdog.reconcile() == 0
    assert Notification.objects.count() == 2


def too_late_for(job: Job) -> datetime:
    """Return a time at which the failure of this job is older than INCIDENT_EXPIRES_DAYS."""
    job.refresh_from_db()
    assert job.finished_at
    return job.finished_at + timedelta(days=settings.INCIDENT_EXPIRES_DAYS, hours=1)


@pytest.mark.postgres
def test_an_old_failure_is_retried_while_the_watchdog_lets_it_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Signal()

    def remaining(incidents: set[int]) -> set[int]:
        left.set()
        wait_until(lambda: is_any_lock_awaited() or expired.is_set(), seconds=10)
        return without_jobs(incidents)

    def expire() -> None:
        left.wait(timeout=30)
        watchdog.reconcile(now)
        expired.set()

    expired = Signal()
    job = make_last()
    failing(job, "disk full")()
    now = too_late_for(job)
    # In this future the retried job has waited long for a worker, which would be an incident of its own.
    monkeypatch.setattr(incident_findings, "SILENT", timedelta(days=365))
    without_jobs = lifecycle._without_jobs
    monkeypatch.setattr(lifecycle, "_without_jobs", remaining)
    with threads(2) as team:
        team.at_once(partial(operations.retry, job, actor=None), expire)
    assert not Incident.objects.ongoing().exists()
    assert not RowFailure.objects.exists()
    assert_whole()


@pytest.mark.postgres
def test_two_watchdogs_that_find_different_jobs_of_a_cause_change_it_one_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def joined(members: dict[int, set[int]], *, now: datetime) -> None:
        reached.append(now)
        wait_until(lambda: is_any_lock_awaited() or len(reached) == 2, seconds=10)
        join(members, now=now)

    def refresh(jobs: list[int]) -> int:
        return upkeep._sync(IncidentKind.ERRORS, [Finding(cause, jobs)], now=timezone.now())

    reached: list[datetime] = []
    first, second = make_last().pk, make_last().pk
    cause = Cause(IncidentKind.ERRORS, about="disk full", title="Items fail")
    refresh([first, second])
    incident = Incident.objects.get()
    join = lifecycle.join
    monkeypatch.setattr(incidents, "join", joined)
    with threads(2) as team:
        team.at_once(partial(refresh, [first]), partial(refresh, [second]))
    assert not RowFailure.objects.exists()
    assert incident.members.filter(left_at__isnull=True).count() == 1
