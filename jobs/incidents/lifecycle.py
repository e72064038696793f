"""The life of incidents: opened, joined, left, reopened, ended.

Every function runs inside the transaction of its cause. The order of locks is jobs, then their own rows, then
incidents by id, then new incidents by their key. Rows of other jobs change under the lock of their incident, without
those that are locked. A transaction that adds a job shares the lock of the incident, so that a thousand reports do not
wait for each other. One that reopens or ends it locks it alone. The watchdog refreshes the number of its subjects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from jobs.db import bulk_sql
from jobs.incidents.causes import Cause, Finding, Key, Move
from jobs.incidents.notices import changed
from jobs.models import Incident, IncidentEntry, IncidentJob
from jobs.models.incidents import NOT_OVER, IncidentJobQuerySet
from jobs.rules.formatting import pluralize
from jobs.rules.incidents import KINDS, IncidentKind, IncidentState, Notice

REOPENS_WITHIN = timedelta(minutes=10)
RECOVERED, EXPIRED = "recovered", "expired"
ENDINGS = {RECOVERED: "The cause is gone.", EXPIRED: "It is older than INCIDENT_EXPIRES_DAYS."}
SYSTEM = "system"
SHARE = "SELECT id FROM jobs_incident WHERE id = %s AND ended_at IS NULL FOR KEY SHARE"
OPEN = "SELECT id FROM jobs_incident WHERE kind = %s AND project = %s AND cause = %s AND ended_at IS NULL"
MOST_TRIES = 3


def write_moves(moves: Sequence[Move], *, now: datetime) -> None:
    """Let jobs join and leave the incidents of their causes, which opens and ends them."""
    if not moves:
        return
    left = _leave(moves, now=now)
    findings: dict[Key, tuple[Cause, list[int]]] = {}
    for move in moves:
        for cause in move.joins:
            findings.setdefault(cause.key, (cause, []))[1].append(move.job)
    _apply([Finding(cause, jobs) for cause, jobs in findings.values()], emptied=_without_jobs(left), now=now)


def open_incidents(findings: Sequence[Finding], *, now: datetime) -> None:
    """Open the incident of each of these causes, unless it is open already; their jobs join it."""
    _apply(findings, emptied=set(), now=now)


def end(incident: Incident, *, by: str, now: datetime) -> bool:
    """End an incident; False where it is over already. Its jobs leave it.

    The whole row is locked before, so that a job that joins is either counted or finds it over. A job that
    leaves at the same time writes its own row.
    """
    if Incident.objects.ongoing().select_for_update().filter(pk=incident.pk).first() is None:
        return False
    values = {"state": IncidentState.RESOLVED, "ended_at": now, "ended_by": by, "changed_at": now}
    Incident.objects.filter(pk=incident.pk).update(
        **values, revision=F("revision") + 1, snoozed_until=None, snoozed_at_subjects=None
    )
    let_leave(IncidentJob.objects.filter(incident=incident), now=now)
    incident.refresh_from_db()
    if by in ENDINGS:
        note(incident, by, detail=ENDINGS[by], now=now)
    changed([incident], Notice.ENDED)
    return True


def note(incident: Incident, act: str, *, by: str = SYSTEM, detail: str = "", now: datetime) -> None:
    """Write a line into the history of an incident."""
    IncidentEntry.objects.create(incident=incident, at=now, actor=by, act=act, detail=detail)


def wake(incident: Incident, *, why: str, now: datetime) -> bool:
    """Open a snoozed incident again; False where it is not snoozed any more."""
    snoozed = Incident.objects.ongoing().filter(pk=incident.pk, state=IncidentState.SNOOZED)
    values = {"state": IncidentState.OPEN, "snoozed_until": None, "snoozed_at_subjects": None, "changed_at": now}
    if not snoozed.update(**values, revision=F("revision") + 1):
        return False
    incident.refresh_from_db()
    note(incident, "woke", detail=why, now=now)
    changed([incident], Notice.REOPENED)
    return True


# --- joining -------------------------------------------------------------------------------------------


def _apply(findings: Sequence[Finding], *, emptied: set[int], now: datetime) -> None:
    """Lock the existing incidents by id, end the emptied ones, then open the missing ones; the jobs join."""
    if len(findings) == 1 and not emptied and (pk := _hold_open(findings[0].cause.key)):
        join({pk: findings[0].jobs}, now=now)
        return
    waiting = {finding.cause.key: finding for finding in findings}
    known = {incident.pk: incident for incident in _latest(waiting, now=now)}
    members: dict[int, Collection[int]] = {}
    for pk in sorted(known.keys() | emptied):
        if pk not in known:
            end_if_empty(pk, now=now)
            continue
        finding = waiting[_key(known[pk])]
        if _hold(pk) or _reopen(known[pk], finding, now=now):
            members[pk] = finding.jobs
            del waiting[finding.cause.key]
    for key in sorted(waiting):
        members[_open(waiting[key], now=now)] = waiting[key].jobs
    join(members, now=now)


def _latest(keys: Collection[Key], *, now: datetime) -> list[Incident]:
    """Return the open incident of each key, else the one that ended last, within the time in which it is reopened."""
    if not keys:
        return []
    of = reduce(or_, (Q(kind=kind, project=project, cause=about) for kind, project, about in keys))
    recent = Q(ended_at__gt=now - REOPENS_WITHIN) | NOT_OVER
    found: dict[Key, Incident] = {}
    for incident in Incident.objects.filter(of, recent).order_by("ended_at", "pk"):
        other = found.get(_key(incident))
        if other is None or other.is_over:
            found[_key(incident)] = incident
    return list(found.values())


def _hold(pk: int) -> bool:
    """Keep an open incident from ending until this transaction is over; False where it is over."""
    if connection.vendor != "postgresql":
        return Incident.objects.ongoing().filter(pk=pk).exists()
    with connection.cursor() as cursor:
        cursor.execute(SHARE, [pk])
        return cursor.fetchone() is not None


def _hold_open(key: Key) -> int | None:
    """Find the open incident of a cause and keep it from ending, in one statement.

    Most jobs join an open incident. Plain SQL, because thousands may get stuck at once.
    """
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(OPEN + lock, [str(part) for part in key])
        row = cursor.fetchone()
    return row[0] if row else None


def _reopen(incident: Incident, finding: Finding, *, now: datetime) -> bool:
    """Open the same incident again; False where another one has been opened since."""
    over = Incident.objects.filter(pk=incident.pk, ended_at__isnull=False)
    values = {
        **finding.cause.columns(),
        "state": IncidentState.OPEN,
        "ended_at": None,
        "ended_by": "",
        "acknowledged_by": None,
        "acknowledged_at": None,
        "changed_at": now,
        "subjects": finding.number,
    }
    try:
        with transaction.atomic():
            won = over.update(**values, reopened=F("reopened") + 1, revision=F("revision") + 1)
    except IntegrityError:
        return False
    if won:
        incident.refresh_from_db()
        note(incident, "reopened", detail=_number(finding), now=now)
        changed([incident], Notice.REOPENED)
    return _hold(incident.pk)


def _open(finding: Finding, *, now: datetime) -> int:
    """Insert the incident of a cause, unless another transaction was first; return its id."""
    kind, project, about = finding.cause.key
    columns = finding.cause.columns()
    values = {
        "kind": kind, "project": project, "cause": about, "subjects": finding.number,
        "opened_at": now, "changed_at": now, **columns,
    }  # fmt: skip
    for _ in range(MOST_TRIES):
        won = bulk_sql.insert(Incident, [tuple(values.values())], fields=tuple(values), ignore_conflicts=True)
        incident = Incident.objects.ongoing().filter(kind=kind, project=project, cause=about).first()
        if incident is None or not (won or _hold(incident.pk)):
            continue  # the other one has ended in the meantime
        if won:
            note(incident, "opened", detail=_number(finding), now=now)
            changed([incident], Notice.OPENED)
        return incident.pk
    raise IntegrityError("The incident opens and ends in other transactions all the time.")


def join(members: Mapping[int, Collection[int]], *, now: datetime) -> None:
    """Add jobs to incidents, by their ids."""
    rows = [(pk, job, now, None) for pk in sorted(members) for job in sorted(members[pk])]
    bulk_sql.insert(
        IncidentJob,
        rows,
        fields=("incident", "job", "joined_at", "left_at"),
        conflict=("incident", "job"),
        replace=("joined_at", "left_at"),
    )


# --- leaving -------------------------------------------------------------------------------------------


def _leave(moves: Sequence[Move], *, now: datetime) -> set[int]:
    """Let jobs leave the incidents of these kinds; return the ids of the incidents."""
    kinds: dict[frozenset[str], list[int]] = defaultdict(list)
    for move in moves:
        if move.leaves:
            kinds[move.leaves].append(move.job)
    left: set[int] = set()
    for leaves, jobs in kinds.items():
        found = IncidentJob.objects.present().filter(job__in=jobs, incident__kind__in=leaves)
        rows = list(found.values_list("pk", "incident_id"))
        if rows:
            IncidentJob.objects.filter(pk__in=[pk for pk, _ in rows]).update(left_at=now)
            left |= {incident for _, incident in rows}
    return left


def let_leave(rows: IncidentJobQuerySet, *, now: datetime) -> None:
    """Let the jobs of these rows leave, without the locks of the jobs.

    A locked row is left out: its job leaves in another transaction, which may wait for a lock of this one.
    """
    free = rows.present().select_for_update(of=("self",), skip_locked=True)
    IncidentJob.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(left_at=now)


def _without_jobs(incidents: Collection[int]) -> set[int]:
    """Return those of these incidents that no job is left in, as far as this transaction sees."""
    if not incidents:
        return set()
    busy = _remaining().filter(incident__in=incidents).order_by().values_list("incident_id", flat=True)
    return set(incidents) - set(busy.distinct())


def end_if_empty(pk: int, *, now: datetime) -> bool:
    """End an incident whose jobs have all left. With its lock no job joins meanwhile."""
    incident = Incident.objects.ongoing().select_for_update().filter(pk=pk).first()
    if incident is None or _remaining().filter(incident=pk).exists():
        return False
    return end(incident, by=RECOVERED, now=now)


def _remaining() -> IncidentJobQuerySet:
    """Return the rows of jobs that incidents still hit; a job that is being deleted is hit no more."""
    return IncidentJob.objects.present().filter(job__removed_at__isnull=True)


def _key(incident: Incident) -> Key:
    return (incident.kind, incident.project, incident.cause)


def _number(finding: Finding) -> str:
    return f"{pluralize(finding.number, *KINDS[IncidentKind(finding.cause.kind)].subjects)}."
