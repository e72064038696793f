"""The life of incidents: opened, joined, ended and reopened with their causes."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs import inbox, operations, tracking, watchdog
from jobs.models import Incident, IncidentJob, Job, Quarantine
from jobs.operations import cancel, delete, pause, retry
from jobs.rules.incidents import JOB_KINDS
from jobs.tracking import Deadlines
from tests.factories import WORKER, complete, make_job, phase_of
from tests.jobs.incidents.conftest import TEN_MINUTES, Clock, Heard, make_failed, make_stuck, report, the_incident

pytestmark = pytest.mark.django_db


def test_a_stuck_job_opens_an_incident_in_the_transaction_that_marks_it(clock: Clock, heard: Heard) -> None:
    job = make_job(items=3, done=1, project="alpha")
    clock.forward(601)
    with transaction.atomic():
        watchdog.find_stuck()
        transaction.set_rollback(True)
    assert not Incident.objects.exists()
    watchdog.find_stuck()
    incident = the_incident()
    assert (incident.kind, incident.project, incident.state, incident.subjects) == ("job_stuck", "alpha", "open", 1)
    assert incident.opened_at == clock.now
    assert [row.job_id for row in incident.members.all()] == [job.pk]
    assert [entry.act for entry in incident.entries.all()] == ["opened"]
    assert heard[-1] == (incident.pk, "opened")


def test_jobs_with_the_same_cause_join_one_incident(clock: Clock, heard: Heard) -> None:
    make_stuck(clock, 5, project="alpha")
    make_stuck(clock, 1, project="beta")
    assert sorted(Incident.objects.values_list("project", "subjects")) == [("alpha", 5), ("beta", 1)]
    assert [notice for _, notice in heard] == ["opened", "opened"]


def test_an_incident_ends_with_the_last_of_its_jobs(clock: Clock, heard: Heard) -> None:
    first, second = make_stuck(clock, 2)
    report(first)
    watchdog.sweep()
    incident = the_incident()
    assert (incident.is_over, incident.subjects) == (False, 1)
    report(second)
    incident.refresh_from_db()
    assert (incident.state, incident.ended_by, incident.ended_at) == ("resolved", "recovered", clock.now)
    assert [notice for _, notice in heard] == ["opened", "ended"]
    assert incident.revision == 2
    assert not IncidentJob.objects.present().exists()


@pytest.mark.parametrize("end", [cancel, pause])
def test_an_act_that_ends_the_cause_ends_the_incident(clock: Clock, end: operations.Operation) -> None:
    [job] = make_stuck(clock)
    end(job, actor=None, reason="Not needed.")
    assert the_incident().ended_by == "recovered"


def test_the_same_cause_within_ten_minutes_reopens_the_incident(clock: Clock, heard: Heard) -> None:
    job = make_failed()
    retry(job, actor=None)
    assert the_incident().is_over
    clock.forward(TEN_MINUTES - 1)
    make_failed("disk full")
    incident = the_incident()
    assert (incident.state, incident.reopened, incident.ended_at, incident.ended_by) == ("open", 1, None, "")
    assert [notice for _, notice in heard] == ["opened", "ended", "reopened"]
    assert incident.revision == 3


def test_the_same_cause_after_ten_minutes_is_another_incident(clock: Clock) -> None:
    retry(make_failed(), actor=None)
    clock.forward(TEN_MINUTES)
    make_failed()
    assert list(Incident.objects.order_by("pk").values_list("state", "reopened")) == [("resolved", 0), ("open", 0)]


def test_failures_with_one_signature_are_one_incident_and_others_another() -> None:
    for number in range(3):
        make_failed(f"Timeout after {number} s")
    make_failed("disk full")
    watchdog.sweep()
    assert sorted(Incident.objects.values_list("title", "subjects")) == [
        ("Generic jobs failed: Timeout after 0 s", 3),
        ("Generic jobs failed: disk full", 1),
    ]


def test_a_late_job_opens_an_incident_that_ends_when_it_finishes(clock: Clock) -> None:
    job = make_job(items=1, deadlines=Deadlines(due_at=clock.now + timedelta(seconds=60)))
    clock.forward(61)
    watchdog.find_late()
    assert the_incident().kind == "job_late"
    complete(phase_of(job), 1)
    assert the_incident().is_over


def test_a_job_that_is_stuck_for_another_reason_moves_to_another_incident(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    for _ in range(4):
        clock.forward(500)
        tracking.heartbeat(job, worker="w1", by=WORKER)
    watchdog.find_stuck()
    clock.forward(601)
    watchdog.find_stuck()
    causes = dict(Incident.objects.values_list("cause", "state"))
    assert causes == {"generic stalled": "resolved", "generic silent": "open"}


def test_a_deleted_job_leaves_its_incident() -> None:
    job = make_failed()
    delete(job, actor=None, reason="A test.")
    watchdog.sweep()
    assert the_incident().ended_by == "recovered"


def test_a_report_that_opens_and_closes_nothing_runs_no_statement_on_incidents() -> None:
    job = make_job(items=5)
    with CaptureQueriesContext(connection) as queries:
        complete(phase_of(job), 2)
    assert not [query["sql"] for query in queries if "incident" in query["sql"]]


def test_many_stuck_jobs_cost_as_many_statements_as_one(clock: Clock) -> None:
    make_stuck(clock)
    numbers = []
    for number in (1, 20):
        jobs = [make_job(items=3, done=1) for _ in range(number)]
        clock.forward(601)
        Job.objects.exclude(pk__in=[job.pk for job in jobs]).update(heartbeat_at=clock.now, progress_at=clock.now)
        with CaptureQueriesContext(connection) as queries:
            assert watchdog.find_stuck() == number
        numbers.append(len(queries))
        assert len([query["sql"] for query in queries if "incident" in query["sql"]]) == 2
    assert numbers[0] == numbers[1] < 20


def test_a_pass_marks_a_bounded_number_of_jobs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["jobs.watchdog.sweep"], "JOBS_PER_SWEEP", 3)
    for _ in range(5):
        make_job(done=1)  # without a total: silent, then unannounced
    clock.forward(901)
    assert [watchdog.find_stuck() for _ in range(3)] == [3, 2, 0]


# --- reconciliation ------------------------------------------------------------------------------------


def test_the_first_pass_opens_what_is_missing(clock: Clock) -> None:
    make_stuck(clock, 2)
    make_failed()
    Incident.objects.all().delete()
    watchdog.reconcile()
    assert sorted(Incident.objects.values_list("kind", "subjects")) == [("job_failed", 1), ("job_stuck", 2)]
    assert watchdog.reconcile() == 0


def test_a_pass_ends_what_is_over(clock: Clock) -> None:
    [job] = make_stuck(clock)
    Job.objects.filter(pk=job.pk).update(stuck="")
    watchdog.reconcile()
    assert the_incident(kind="job_stuck").ended_by == "recovered"


def test_old_failures_expire_and_stay_so(clock: Clock, settings: object) -> None:
    make_failed()
    clock.forward(timedelta(days=7).total_seconds() + 1)
    watchdog.reconcile()
    assert the_incident().ended_by == "expired"
    clock.forward(3600)
    assert watchdog.reconcile() == 0
    assert Incident.objects.count() == 1


def test_without_a_limit_failures_never_expire(clock: Clock, settings: object) -> None:
    settings.INCIDENT_EXPIRES_DAYS = 0  # type: ignore[attr-defined]
    make_failed()
    clock.forward(timedelta(days=400).total_seconds())
    watchdog.reconcile()
    assert the_incident().state == "open"


def test_two_jobs_that_leave_at_the_same_moment_leave_no_open_incident(clock: Clock) -> None:
    make_stuck(clock, 2)
    IncidentJob.objects.update(left_at=clock.now)  # each transaction saw the other job
    watchdog.sweep()
    assert the_incident().ended_by == "recovered"


def test_ended_incidents_are_pruned_with_the_timeline_and_others_never(clock: Clock) -> None:
    retry(make_failed(), actor=None)
    make_failed("no memory")
    clock.forward(timedelta(days=364).total_seconds())
    watchdog.prune()
    assert Incident.objects.count() == 2
    clock.forward(timedelta(days=2).total_seconds())
    watchdog.prune()
    assert the_incident().state == "open"


# --- causes of many jobs, workers and deliveries ----------------------------------------------------------


def test_one_error_over_three_running_jobs_is_one_incident(clock: Clock) -> None:
    for number in (1, 2):
        fail_one(make_job(items=9, done=1, threshold=50), f"Timeout after {number} s")
    watchdog.reconcile()
    assert not Incident.objects.exists()
    fail_one(make_job(items=9, done=1, threshold=50), "Timeout after 3 s")
    watchdog.reconcile()
    incident = the_incident()
    assert (incident.kind, incident.subjects) == ("errors", 3)
    for job in Job.objects.all():
        retry(job, actor=None)
    watchdog.reconcile()
    assert the_incident().ended_by == "recovered"


def test_one_job_that_cannot_meet_its_threshold_is_an_incident() -> None:
    make_job(items=5, failed=1)
    watchdog.reconcile()
    assert (the_incident().kind, the_incident().detail) == (
        "errors",
        "1 job cannot meet a threshold or only fails.",
    )


def test_jobs_that_wait_while_no_worker_is_alive_are_one_incident_per_project(clock: Clock) -> None:
    for _ in range(4):
        make_job(items=2, project="alpha")
    clock.forward(601)
    watchdog.reconcile()
    incident = the_incident()
    assert (incident.kind, incident.title, incident.subjects) == ("worker_gone", "Jobs wait for a worker", 4)


def test_dead_letters_open_an_incident_and_a_resolved_one_stays_so(clock: Clock) -> None:
    inbox.store_dead_letter({"type": "x"}, reason="Unknown type.", source="broker")
    inbox.store_dead_letter({"type": "y"}, reason="Unknown type.", source="broker")
    watchdog.reconcile()
    assert (the_incident().kind, the_incident().subjects) == ("dead_letters", 2)
    clock.forward(TEN_MINUTES)
    operations.INCIDENT_ACTS["resolve"](the_incident(), actor=None, reason="They are old.")
    assert watchdog.reconcile() == 0
    clock.forward(TEN_MINUTES + 1)
    inbox.store_dead_letter({"type": "z"}, reason="Unknown type.", source="broker")
    watchdog.reconcile()
    assert list(Incident.objects.order_by("pk").values_list("state", "subjects")) == [("resolved", 2), ("open", 1)]


def test_a_silent_watchdog_is_an_incident_until_one_is_back(clock: Clock) -> None:
    for _ in range(2):
        watchdog.watchdog_is_silent("No watchdog process has sent a heartbeat for 5 min.")
    assert the_incident().kind == "watchdog_silent"
    watchdog.reconcile()
    assert the_incident().ended_by == "recovered"


def test_a_quarantine_is_an_incident_until_it_is_lifted() -> None:
    job = make_job(items=5, done=1)
    phase = phase_of(job)
    Quarantine.objects.create(
        phase=phase, worker="w9", owner=0, since=job.created_at, until=job.created_at, failures=20
    )
    phase.quarantined = 1
    phase.save(update_fields=["quarantined"])
    watchdog.reconcile()
    assert the_incident().kind == "worker_quarantined"
    operations.lift(job, actor=None)
    assert the_incident().ended_by == "recovered"


def test_every_kind_of_jobs_is_among_the_kinds() -> None:
    assert {"job_stuck", "job_failed", "job_late", "worker_quarantined"} == set(JOB_KINDS)


def fail_one(job: Job, error: str) -> None:
    """Let one item of a job fail with this error."""
    result = tracking.Result("k5", "failed", error=error)
    tracking.report(phase_of(job), worker="w1", results=[result], by=WORKER)
