"""Upkeep of incidents: their numbers, their ends, snoozes and expiry, and the reconciliation with the present state.

`settle_incidents` belongs to every sweep. `reconcile` opens what is missing and ends what is over, whatever was missed:
at the first pass after an upgrade, after a downtime, or after a kill. It runs each minute.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs import incidents
from jobs.change import Actor, change_jobs
from jobs.change.incident_moves import state_of
from jobs.db.pauses import with_pauses
from jobs.incidents import EXPIRED, RECOVERED, Cause, Finding, move_between
from jobs.isolation import isolated
from jobs.models import Incident, IncidentJob, Job, Phase
from jobs.rules.errors import NotFound
from jobs.rules.incidents import JOB_KINDS, IncidentKind, IncidentState
from jobs.rules.statuses import OPEN_PHASE, JobStatus
from jobs.watchdog import incident_findings

WATCHDOG = Actor(name="watchdog")
JOBS_PER_PASS = 1000
PHASE_QUARANTINED = Q(quarantined__gt=0, status__in=OPEN_PHASE)
FOUND: dict[IncidentKind, Callable[[datetime], Iterable[Finding]]] = {
    IncidentKind.ERRORS: incident_findings.errors,
    IncidentKind.WORKER_GONE: incident_findings.workers,
    IncidentKind.ENDPOINT_FAILING: incident_findings.failing_endpoints,
    IncidentKind.DELIVERY_LAG: incident_findings.delayed_deliveries,
    IncidentKind.DEAD_LETTERS: incident_findings.dead_letters,
    IncidentKind.WATCHDOG_SILENT: incident_findings.nothing,  # this is one
}


# --- every sweep ---------------------------------------------------------------------------------------


def settle_incidents(now: datetime | None = None) -> int:
    """Refresh the number of jobs, end incidents without jobs, and wake snoozed ones; return how many have changed.

    The transaction in which a job joins or leaves changes its own row only, so that many at once do not wait for each
    other. Two jobs that leave at the same moment both see the other: this ends their incident.
    """
    at = now or timezone.now()
    done = 0
    for incident in _with_jobs():
        number: int = incident.number  # type: ignore[attr-defined]
        with isolated("incidents.settle", incident_id=incident.pk):
            if number != incident.subjects:
                done += _settle(incident, number, now=at)
    for incident in Incident.objects.asleep(at):
        with isolated("incidents.wake", incident_id=incident.pk), transaction.atomic():
            done += incidents.wake(incident, why="Its time is over.", now=at)
    return done


def _with_jobs() -> QuerySet[Incident]:
    present = Q(members__left_at__isnull=True, members__job__removed_at__isnull=True, members__isnull=False)
    return Incident.objects.ongoing().filter(kind__in=JOB_KINDS).annotate(number=Count("members", filter=present))


def _settle(incident: Incident, number: int, *, now: datetime) -> int:
    with transaction.atomic():
        if not number:
            return int(incidents.end_if_empty(incident.pk, now=now))
        Incident.objects.ongoing().filter(pk=incident.pk).update(subjects=number)
        _wake_grown(incident, number, now=now)
    return 1


def _wake_grown(incident: Incident, number: int, *, now: datetime) -> None:
    """Open an incident again that was snoozed until it grows."""
    limit = incident.snoozed_at_subjects
    if incident.state == IncidentState.SNOOZED and limit is not None and number > limit:
        incidents.wake(incident, why=f"It has grown from {limit} to {number}.", now=now)


# --- each minute ---------------------------------------------------------------------------------------


def reconcile(now: datetime | None = None) -> int:
    """Compare the incidents with what is wrong now; return how many jobs and incidents have moved."""
    at = now or timezone.now()
    done = _expire(at)
    for job_id in with_pauses(_moved_jobs(at)):
        with isolated("incidents.job", job_id=job_id), suppress(NotFound):
            done += _move(job_id, now=at)
    for kind, find in FOUND.items():
        with isolated("incidents.kind", kind=str(kind)):
            done += _sync(kind, list(find(at)), now=at)
    _leave_ended(at)
    return done + settle_incidents(at)


def _leave_ended(now: datetime) -> None:
    """Let jobs leave incidents that are over: one was leaving when its incident ended, and was rolled back."""
    with transaction.atomic():
        incidents.let_leave(IncidentJob.objects.filter(incident__ended_at__isnull=False), now=now)


def _expire(now: datetime) -> int:
    """End the failures that are older than INCIDENT_EXPIRES_DAYS; younger jobs keep their incident."""
    if not settings.INCIDENT_EXPIRES_DAYS:
        return 0
    since = now - timedelta(days=settings.INCIDENT_EXPIRES_DAYS)
    failed = IncidentJob.objects.present().filter(incident__kind=IncidentKind.JOB_FAILED)
    old = failed.filter(job__finished_at__lt=since)
    touched = set(old.values_list("incident_id", flat=True)[:JOBS_PER_PASS])
    for incident in Incident.objects.ongoing().filter(pk__in=touched):
        with isolated("incidents.expire", incident_id=incident.pk), transaction.atomic():
            locked = Incident.objects.select_for_update().get(pk=incident.pk)
            incidents.let_leave(old.filter(incident=locked), now=now)
            if not IncidentJob.objects.present().filter(incident=locked).exists():
                incidents.end(locked, by=EXPIRED, now=now)
    return len(touched)


def _moved_jobs(now: datetime) -> list[int]:
    """Return jobs that should be in an incident and are not, and those that should no longer be."""
    quarantined = Exists(Phase.objects.filter(PHASE_QUARANTINED, job=OuterRef("pk")))
    wanted = {
        IncidentKind.JOB_STUCK: Job.objects.stuck(),
        IncidentKind.JOB_LATE: Job.objects.late(),
        IncidentKind.WORKER_QUARANTINED: Job.objects.filter(quarantined),
    }
    found = set(_unseen_failures(now)[:JOBS_PER_PASS])
    for kind, jobs in wanted.items():
        present = IncidentJob.objects.present().filter(incident__kind=kind)
        found |= set(_ids(jobs.filter(~Exists(present.filter(job=OuterRef("pk"))))))
        found |= set(
            _ids(Job.objects.filter(pk__in=present.values("job")).exclude(pk__in=jobs.order_by().values("pk")))
        )
    gone = IncidentJob.objects.present().filter(incident__kind=IncidentKind.JOB_FAILED)
    found |= set(_ids(Job.objects.filter(pk__in=gone.values("job")).exclude(status=JobStatus.FAILED)))
    return sorted(found)


def _ids(jobs: QuerySet[Job]) -> QuerySet[Job, int]:
    return jobs.order_by("pk").values_list("pk", flat=True)[:JOBS_PER_PASS]


def _unseen_failures(now: datetime) -> QuerySet[Job, int]:
    """Return the failed jobs that were in no incident since they failed: what an operator has resolved stays so."""
    rows = IncidentJob.objects.filter(
        incident__kind=IncidentKind.JOB_FAILED, job=OuterRef("pk"), joined_at__gte=OuterRef("finished_at")
    )
    failed = Job.objects.filter(~Exists(rows), status=JobStatus.FAILED, finished_at__isnull=False)
    if settings.INCIDENT_EXPIRES_DAYS:
        failed = failed.filter(finished_at__gte=now - timedelta(days=settings.INCIDENT_EXPIRES_DAYS))
    return failed.order_by("pk").values_list("pk", flat=True)


def _move(job_id: int, *, now: datetime) -> int:
    """Compare one job with its incidents under its lock."""
    with change_jobs([job_id], by=WATCHDOG, now=now) as change:
        job = change.job
        after = state_of(job, change.phases[job.pk]).causes()
        present = IncidentJob.objects.present().filter(job=job, incident__kind__in=JOB_KINDS)
        before = {
            row.incident.kind: Cause(IncidentKind(row.incident.kind), row.incident.project, row.incident.cause)
            for row in present.select_related("incident")
        }
        move = move_between(job.pk, before, after)
        incidents.write_moves([move] if move else [], now=change.now)
    return int(move is not None)


# --- causes that no change of a job makes ----------------------------------------------------------------


def _sync(kind: IncidentKind, findings: Collection[Finding], *, now: datetime) -> int:
    """Open the incidents of these causes, refresh them, and end the others of this kind."""
    wanted = {finding.cause.key: finding for finding in findings}
    ongoing = {
        (incident.kind, incident.project, incident.cause): incident
        for incident in Incident.objects.ongoing().filter(kind=kind)
    }
    done = 0
    for key, incident in ongoing.items():
        with isolated("incidents.sync", incident_id=incident.pk), transaction.atomic():
            if key not in wanted:
                done += incidents.end(incident, by=RECOVERED, now=now)
            else:
                _refresh(incident, wanted[key], now=now)
    missing = [finding for key, finding in wanted.items() if key not in ongoing]
    for finding in missing:
        with isolated("incidents.open", cause=finding.cause.about), transaction.atomic():
            incidents.open_incidents([finding], now=now)
    return done + len(missing)


def _refresh(incident: Incident, finding: Finding, *, now: datetime) -> None:
    # Two watchdogs may find different jobs: under the lock the second one waits before it changes any row.
    if Incident.objects.ongoing().select_for_update(no_key=True).filter(pk=incident.pk).first() is None:
        return
    present = incident.members.filter(left_at__isnull=True)
    known = set(present.values_list("job_id", flat=True))
    incidents.let_leave(present.filter(job__in=known - set(finding.jobs)), now=now)
    incidents.join({incident.pk: set(finding.jobs) - known}, now=now)
    columns = {"subjects": finding.number, "error": finding.cause.error, "detail": finding.cause.detail}
    if any(getattr(incident, name) != value for name, value in columns.items()):
        Incident.objects.ongoing().filter(pk=incident.pk).update(**columns)
        _wake_grown(incident, finding.number, now=now)


def watchdog_is_silent(sentence: str, *, now: datetime | None = None) -> None:
    """Open the incident of a silent watchdog. Other processes call this: a dead one says nothing."""
    cause = Cause(IncidentKind.WATCHDOG_SILENT, title="The watchdog is silent", detail=sentence)
    with transaction.atomic():
        if not Incident.objects.ongoing().filter(kind=IncidentKind.WATCHDOG_SILENT).exists():
            incidents.open_incidents([Finding(cause, subjects=1)], now=now or timezone.now())
