"""The list of incidents, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from jobs.console.acts.selection import ListMatch, source
from jobs.console.base import forbidden_page, live, not_found_page, not_visible, query_text, render_page
from jobs.console.incidents.forms import IncidentFilterForm
from jobs.console.incidents.rows import HELPS, RowButton, act_on_all, first_jobs, incident_rows
from jobs.console.incidents.styles import STATES
from jobs.console.job_rows import rows_of
from jobs.models import Incident, IncidentJob, Job
from jobs.models.incidents import IncidentQuerySet
from jobs.models.phases import phases_of
from jobs.operations import INCIDENT_ACTS
from jobs.operations.diagnosis import Cause, diagnose
from jobs.operations.snapshot import snapshot_of
from jobs.rules.formatting import format_number
from jobs.rules.incidents import IncidentKind, IncidentState

LISTED, JOBS_LISTED, ENTRIES_LISTED, LAST_PAGE = 50, 50, 100, 200
NO_WORKER = "no worker"
MISSING = "To see incidents, your account needs the permission jobs.view_incident (role viewer)."


@dataclass(frozen=True, slots=True)
class Tab:
    """A state, the number of its incidents, and the address of its list."""

    label: str
    count: str
    url: str
    current: bool


def visible_incidents(request: HttpRequest) -> IncidentQuerySet | None:
    """Return the incidents that the account may see; None without the permission."""
    if not request.user.has_perm("jobs.view_incident"):
        return None
    return Incident.objects.visible_to(request.user)


# --- the list ------------------------------------------------------------------------------------------


def incidents_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the incidents of a state, the worst first; resolved ones by their end."""
    visible = visible_incidents(request)
    if visible is None:
        return forbidden_page(request, site, MISSING)
    form = IncidentFilterForm(request.GET)
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    state = query_text(request, "state")
    state = state if state in [*IncidentState] else str(IncidentState.OPEN)
    narrowed = visible.filter(**filters)
    now, place = timezone.now(), _place(request)
    found = list(_ordered(narrowed, state)[place * LISTED : (place + 1) * LISTED + 1])
    context = {
        "title": "Incidents",
        "rows": incident_rows(request, found[:LISTED], now=now),
        "tabs": _tabs(narrowed, filters, state),
        "state": state,
        "filters": filters,
        "kinds": form.fields["kind"].choices,  # type: ignore[attr-defined]
        "following": _address(filters, state=state, page=place + 2) if len(found) > LISTED else "",
        "acts": [(act, act.forbidden(request.user)) for act in INCIDENT_ACTS.values()],
        "back": request.get_full_path(),
        **_live(now),
    }
    return render_page(request, site, "jobs/incidents/list.html", context)


def _place(request: HttpRequest) -> int:
    text = query_text(request, "page")
    return min(int(text), LAST_PAGE) - 1 if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else 0


def _ordered(incidents: IncidentQuerySet, state: str) -> IncidentQuerySet:
    found = incidents.filter(state=state).select_related("assignee", "acknowledged_by")
    return found.order_by("-ended_at", "-pk") if state == IncidentState.RESOLVED else found.worst_first()


def _tabs(incidents: IncidentQuerySet, filters: dict[str, str], state: str) -> list[Tab]:
    """Count the incidents that are not over; the resolved ones grow for ever and are not counted."""
    counts = dict(incidents.ongoing().order_by().values_list("state").annotate(number=Count("pk")))
    return [
        Tab(
            style.label,
            "" if each == IncidentState.RESOLVED else format_number(counts.get(each, 0)),
            _address(filters, state=str(each)),
            each == state,
        )
        for each, style in STATES.items()
    ]


def _address(filters: dict[str, str], **query: Any) -> str:
    return f"{reverse('admin:incidents')}?{urlencode({**filters, **query})}"


def _live(now: datetime) -> dict[str, Any]:
    return live(now=now, socket="/ws/jobs", poll=f"{reverse('api-jobs')}?limit=1", single=False)


# --- one incident --------------------------------------------------------------------------------------


def incident_page(request: HttpRequest, site: AdminSite, incident_id: int) -> HttpResponse:
    """Show the problem, its start, its cause, the possible acts, its jobs and its history."""
    visible = visible_incidents(request)
    if visible is None:
        return forbidden_page(request, site, MISSING)
    incident = visible.select_related("assignee", "acknowledged_by").filter(pk=incident_id).first()
    if incident is None:
        return not_found_page(request, site, not_visible("Incident", str(incident_id)))
    now = timezone.now()
    [row] = incident_rows(request, [incident], now=now)
    members = list(_members(incident))
    jobs = rows_of([member.job for member in members], now=now)
    context = {
        "title": incident.title,
        "incident": incident,
        "row": row,
        "causes": _causes(incident, now=now),
        "acts": [_act_button(request, incident, name) for name in INCIDENT_ACTS],
        "remedies": _remedies(request, incident, row.button),
        "members": [(member, jobs[member.job_id]) for member in members],
        "more_members": max(0, incident.subjects - len(members)) if incident.text.subjects[0] == "job" else 0,
        "history": incident.entries.order_by("-pk")[:ENTRIES_LISTED],
        "back": request.get_full_path(),
        **_live(now),
    }
    return render_page(request, site, "jobs/incidents/incident.html", context)


def _members(incident: Incident) -> list[IncidentJob]:
    """Return the jobs that it still hits, then those that it has hit."""
    rows = incident.members.filter(job__removed_at__isnull=True).select_related("job")
    present = list(rows.filter(left_at__isnull=True).order_by("pk")[:JOBS_LISTED])
    return present + list(rows.filter(left_at__isnull=False).order_by("-left_at", "-pk")[: JOBS_LISTED - len(present)])


def _causes(incident: Incident, *, now: datetime) -> tuple[Job, list[Cause]] | None:
    """Return the diagnosis of its first job, as an example for all of its jobs."""
    jobs = first_jobs([incident], most=1).get(incident.pk)
    if not jobs:
        return None
    job = jobs[0]
    return job, diagnose(snapshot_of(job, phases=phases_of([job])[job.pk], now=now)).causes


def _act_button(request: HttpRequest, incident: Incident, name: str) -> RowButton:
    act = INCIDENT_ACTS[name]
    url = reverse("admin:incident-act", kwargs={"incident_id": incident.pk, "slug": name})
    return RowButton(f"{act.label}…", url, act.forbidden(request.user) or act.refusal(incident))


def _remedies(request: HttpRequest, incident: Incident, first: RowButton | None) -> list[RowButton]:
    """Return the act that helps most, then the acts on all its jobs."""
    found = [first] if first else []
    if incident.is_over or incident.cause == NO_WORKER or not first_jobs([incident], most=1):
        return found
    others = [act_on_all(name, incident, request.user) for name in HELPS.get(IncidentKind(incident.kind), ())]
    return found + [button for button in others if first is None or button.url != first.url]


@source("incident")
def jobs_of_incident(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """Return the jobs that an incident still hits."""
    visible = visible_incidents(request)
    text = query.get("incident", "")
    pk = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
    incident = None if visible is None else visible.filter(pk=pk).first()
    rows = IncidentJob.objects.present().filter(incident=incident) if incident else IncidentJob.objects.none()
    return ListMatch(words=f"jobs of the incident “{incident}”", rows=rows, job="job_id")
