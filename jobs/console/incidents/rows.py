"""Incidents as table rows: the problem, its start, its size, its cause, and the one act that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse

from jobs.console.deliveries.delivery_queries import dead_by_endpoint
from jobs.console.incidents.styles import kind_style, state_style
from jobs.console.job_rows import JobRow, rows_of
from jobs.console.overview.attention import Attention, attention
from jobs.console.overview.dead_deliveries import DeadDelivery, dead_deliveries
from jobs.console.status_styles import StatusStyle
from jobs.console.workers.worker_queries import holdings
from jobs.models import Incident, IncidentJob, Job, Quarantine
from jobs.operations.registry import ACTS, forbidden
from jobs.rules.formatting import pluralize
from jobs.rules.incidents import IncidentKind

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

NAMED = 3
# The acts on all jobs of an incident; the first one helps most often.
HELPS: dict[IncidentKind, tuple[str, ...]] = {
    IncidentKind.JOB_STUCK: ("release", "retry", "pause", "force-complete", "cancel", "fail"),
    IncidentKind.JOB_FAILED: ("retry", "force-complete", "cancel"),
    IncidentKind.JOB_LATE: ("retry", "release", "cancel"),
    IncidentKind.ERRORS: ("retry", "pause", "force-complete", "cancel"),
    IncidentKind.WORKER_GONE: ("release",),
    IncidentKind.WORKER_QUARANTINED: ("lift", "retry"),
}
NEEDS_ITEMS = (IncidentKind.JOB_STUCK, IncidentKind.WORKER_GONE)  # without held items a release does nothing


@dataclass(frozen=True, slots=True)
class RowButton:
    """A button of a row; `why_not` says why it is disabled."""

    label: str
    url: str
    why_not: str = ""
    grave: bool = False


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident with the names of its first jobs. `only` is its job where it has one, as the row shows it."""

    incident: Incident
    style: StatusStyle
    state: StatusStyle
    number: str
    why: str
    detail: str
    button: RowButton | None
    jobs: Sequence[Job] = field(default=())
    only: JobRow | None = None

    @property
    def is_safe(self) -> bool:
        """Whether its act may be the first button: it is possible and ends no job."""
        return self.button is not None and not self.button.grave and not self.button.why_not

    @property
    def more_jobs(self) -> int:
        """The number of jobs that are not named."""
        return max(0, self.incident.subjects - len(self.jobs)) if self.jobs else 0


def incident_rows(request: HttpRequest, incidents: Sequence[Incident], *, now: datetime) -> list[IncidentRow]:
    """Return the rows of these incidents, in a constant number of queries."""
    jobs = first_jobs(incidents)
    alone = [jobs[each.pk][0] for each in incidents if len(jobs.get(each.pk, ())) == 1]
    rows = rows_of(alone, now=now)
    held = holdings(Job.objects.filter(pk__in=rows), now=now) if alone else []
    judged = {each.job.pk: each for each in attention(alone, request.user, rows=rows, holdings=held, now=now)}
    facts = _Facts(
        rows, judged, _dead(request, incidents), _holding(incidents), _quarantined(incidents, jobs), request.user, now
    )
    return [_row(each, jobs.get(each.pk, ()), facts) for each in incidents]


def first_jobs(incidents: Sequence[Incident], *, most: int = NAMED) -> dict[int, list[Job]]:
    """Return the first jobs that each of these incidents still hits, in one query."""
    number = Window(RowNumber(), partition_by=F("incident_id"), order_by=F("id").asc())
    rows = IncidentJob.objects.filter(incident__in=[each.pk for each in incidents], job__removed_at__isnull=True)
    rows = rows.present().annotate(place=number).filter(place__lte=most).select_related("job").order_by("pk")
    found: dict[int, list[Job]] = {}
    for row in rows:
        found.setdefault(row.incident_id, []).append(row.job)
    return found


def acts_url(name: str, incident: Incident) -> str:
    """Return the address of the confirmation of an act on all jobs of an incident."""
    query = urlencode({"match": "incident", "query": urlencode({"incident": incident.pk})})
    return f"{reverse('admin:jobs-act', kwargs={'slug': name})}?{query}"


@dataclass(frozen=True, slots=True)
class _Facts:
    """Facts that the rows of a page need, read for all of them at once."""

    rows: dict[int, JobRow]
    judged: dict[int, Attention]
    dead: dict[int, DeadDelivery]
    holding: set[int]
    quarantined: dict[int, str]
    user: User | AnonymousUser
    now: datetime


def _row(incident: Incident, jobs: Sequence[Job], facts: _Facts) -> IncidentRow:
    only = jobs[0] if len(jobs) == 1 and incident.subjects <= 1 else None
    case = facts.judged.get(only.pk) if only and incident.kind != IncidentKind.WORKER_QUARANTINED else None
    why = facts.quarantined.get(incident.pk, "") or incident.detail or incident.error
    return IncidentRow(
        incident=incident,
        style=kind_style(incident),
        state=state_style(incident),
        number=pluralize(incident.subjects, *incident.text.subjects),
        why=case.cause if case else why,
        detail=(case.detail if case else "") or (incident.error if incident.error != why else ""),
        button=_button_of(case) if case else _button(incident, facts),
        jobs=jobs,
        only=facts.rows[only.pk] if only else None,
    )


def _button_of(case: Attention) -> RowButton:
    button = case.button
    return RowButton(button.label, button.url, button.why_not, button.act.ends_job)


def _button(incident: Incident, facts: _Facts) -> RowButton | None:
    """Return the act on all its jobs that helps, or the list in which its subjects are."""
    if incident.kind in (IncidentKind.ENDPOINT_FAILING, IncidentKind.DELIVERY_LAG):
        return _deliveries(incident, facts.dead)
    if incident.kind == IncidentKind.DEAD_LETTERS:
        return RowButton("Dead letters", reverse("admin:jobs_inboxmessage_changelist"))
    names = HELPS.get(IncidentKind(incident.kind), ())
    if not names or (incident.kind in NEEDS_ITEMS and incident.pk not in facts.holding):
        return None
    return act_on_all(names[0], incident, facts.user)


def act_on_all(name: str, incident: Incident, user: User | AnonymousUser) -> RowButton:
    """Return the button of an act on all jobs of an incident."""
    act = ACTS[name]
    label = f"{act.label} in {incident_number(incident)}…"
    return RowButton(label, acts_url(name, incident), forbidden(act, user), act.ends_job)


def _holding(incidents: Sequence[Incident]) -> set[int]:
    """Return the ids of the incidents in whose jobs items are held."""
    asked = [each.pk for each in incidents if each.kind in NEEDS_ITEMS]
    if not asked:
        return set()
    held = IncidentJob.objects.present().filter(incident__in=asked, job__phases__processing__gt=0)
    return set(held.order_by().values_list("incident_id", flat=True).distinct())


def incident_number(incident: Incident) -> str:
    """Return the number of its jobs in words."""
    return "all jobs" if incident.text.subjects[0] != "job" else pluralize(incident.subjects, "job")


def endpoint_of(incident: Incident) -> int | None:
    """Return the id of the endpoint that an incident is about."""
    word, _, pk = incident.cause.partition(" ")
    return int(pk) if word == "endpoint" and pk.isdigit() else None


def _deliveries(incident: Incident, dead: dict[int, DeadDelivery]) -> RowButton | None:
    endpoint = endpoint_of(incident)
    if endpoint is None:
        return None
    if endpoint in dead:
        row = dead[endpoint]
        return RowButton(row.label, row.url, row.why_not)
    query = urlencode({"status": "waiting", "endpoint": endpoint})
    return RowButton("Its deliveries", f"{reverse('admin:jobs_delivery_changelist')}?{query}")


def _quarantined(incidents: Sequence[Incident], jobs: dict[int, list[Job]]) -> dict[int, str]:
    """Name the quarantined workers of the first jobs of these incidents."""
    asked = [each.pk for each in incidents if each.kind == IncidentKind.WORKER_QUARANTINED]
    of_job = {job.pk: pk for pk in asked for job in jobs.get(pk, ())}
    if not of_job:
        return {}
    rows = Quarantine.objects.in_unfinished_phases().filter(phase__job__in=of_job).select_related("phase")
    found: dict[int, list[str]] = {}
    for row in rows.order_by("-since", "-pk"):
        text = f"{row.worker} failed its last {pluralize(row.failures, 'item')}, another worker does not"
        found.setdefault(of_job[row.phase.job_id], []).append(text)
    return {pk: "; ".join(texts[:NAMED]) for pk, texts in found.items()}


def _dead(request: HttpRequest, incidents: Sequence[Incident]) -> dict[int, DeadDelivery]:
    if not any(each.kind == IncidentKind.ENDPOINT_FAILING for each in incidents):
        return {}
    groups = dead_by_endpoint(request, Job.objects.all())
    rows = dead_deliveries(groups, request.user)
    return {group.endpoint.pk: row for group, row in zip(groups, rows, strict=True)}
