"""REST calls for incidents: list, detail, and one call for each act."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypedDict

import msgspec
from django.http import HttpResponse
from django.urls import URLPattern, path
from msgspec import Meta
from rest_framework.request import Request

from jobs.api.base import APIBaseView, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import NameText, PageQuery
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.schema import operation, values_of
from jobs.models import Incident
from jobs.operations import INCIDENT_ACTS
from jobs.operations.incidents import IncidentOperation
from jobs.rules.errors import NotFound
from jobs.rules.field_types import Moment
from jobs.rules.incidents import IncidentKind, IncidentState
from jobs.rules.statuses import JobStatus

TAG = "incidents"
MOST_JOBS, MOST_ENTRIES = 200, 100


class IncidentQuery(PageQuery, kw_only=True, frozen=True):
    """Filters of incidents."""

    state: Annotated[IncidentState | None, Meta(description="Only incidents in this state.")] = None
    over: Annotated[bool | None, Meta(description="Only incidents that are over, or with false only the others.")] = (
        None
    )
    kind: Annotated[IncidentKind | None, Meta(description="Only incidents of this kind.")] = None
    project: Annotated[NameText, Meta(description="Only incidents of this project.")] = ""


class IncidentBody(TypedDict):
    """An incident. `subjects` counts its jobs, workers, deliveries or messages; a larger `severity` is worse."""

    id: int
    kind: Annotated[str, values_of(IncidentKind)]
    project: str
    cause: str
    state: Annotated[str, values_of(IncidentState)]
    title: str
    detail: str
    error: str
    subjects: int
    severity: int
    reopened: int
    revision: int
    opened_at: Moment
    changed_at: Moment
    ended_at: Moment | None
    ended_by: str
    assignee: str | None
    acknowledged_by: str | None
    acknowledged_at: Moment | None
    snoozed_until: Moment | None
    snoozed_until_grows: bool


class IncidentJobBody(TypedDict):
    """A job that an incident hits, or has hit until `left_at`."""

    id: int
    name: str
    status: Annotated[str, values_of(JobStatus)]
    joined_at: Moment
    left_at: Moment | None


class IncidentEntryBody(TypedDict):
    """A line in the history of an incident."""

    at: Moment
    actor: str
    act: str
    detail: str


class IncidentDetailBody(IncidentBody):
    """An incident with its first 200 jobs and its last 100 lines of history."""

    jobs: list[IncidentJobBody]
    history: list[IncidentEntryBody]


class IncidentPage(TypedDict):
    """A page of incidents."""

    results: list[IncidentBody]
    next: str | None


class IncidentActAnswer(TypedDict):
    """The result of an act: 1 or 0, a sentence, and the incident."""

    changed: int
    detail: str
    incident: IncidentBody


class IncidentBaseView(APIBaseView):
    """Base of the calls about incidents."""

    reads: ClassVar[str] = "view_incident"

    def incident(self, incident_id: int) -> Incident:
        """Return an incident by its id; NotFound if it is missing or not visible to the account."""
        found = Incident.objects.select_related("assignee", "acknowledged_by").filter(pk=incident_id).first()
        if found is None or not self._sees(found):
            raise NotFound(f"There is no incident {incident_id}.")
        return found

    def _sees(self, incident: Incident) -> bool:
        projects = self.access.projects
        return projects is None or bool(incident.project and incident.project in projects)


class Incidents(IncidentBaseView):
    """Incidents."""

    @operation(
        id="listIncidents", summary="List incidents", tag=TAG, query=IncidentQuery, answer=IncidentPage, errors=(400,)
    )
    def get(self, request: Request) -> HttpResponse:
        """List the incidents of the account's projects, the newest first."""
        query = decode_query(request, IncidentQuery)
        found = Incident.objects.visible_to(self.account).select_related("assignee", "acknowledged_by")
        given = {name: getattr(query, name) for name in ("state", "kind", "project")}
        found = found.filter(**{name: value for name, value in given.items() if value})
        if query.over is not None:
            found = found.filter(ended_at__isnull=not query.over)
        return json_response(page(request, found, query, field="-opened_at", body=incident_body))


class IncidentDetail(IncidentBaseView):
    """One incident."""

    @operation(id="getIncident", summary="Show an incident", tag=TAG, answer=IncidentDetailBody, errors=(404,))
    def get(self, request: Request, incident_id: int) -> HttpResponse:
        """Show an incident with its jobs and its history."""
        incident = self.incident(incident_id)
        body = {**incident_body(incident), "jobs": jobs_of(incident), "history": history_of(incident)}
        return json_response(body)


class IncidentActView(IncidentBaseView):
    """Base of the acts."""

    act: ClassVar[IncidentOperation]

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions to see the incident and to act on it."""
        return (cls.reads, cls.writes)


def act_urls() -> list[URLPattern]:
    """Return one address for each act."""
    return [
        path(f"incidents/<int:incident_id>/{name}", _view(act).as_view(), name=f"api-incident-{name}")
        for name, act in INCIDENT_ACTS.items()
    ]


def _view(act: IncidentOperation) -> type[IncidentActView]:
    """Make the view of an act, described for OpenAPI."""
    attributes: dict[str, Any] = {"__doc__": type(act).__doc__, "act": act, "writes": act.codename}
    view = type(f"{type(act).__name__}Incident", (IncidentActView,), attributes)

    def post(self: IncidentActView, request: Request, incident_id: int) -> HttpResponse:
        incident = self.incident(incident_id)
        given = decode_body(request, self.act.Arguments)
        acted = self.act(incident, actor=self.account, **msgspec.structs.asdict(given))
        return json_response(
            {"changed": acted.changed, "detail": acted.detail, "incident": incident_body(acted.incident)}
        )

    post.__doc__ = type(act).__doc__
    post.__qualname__ = f"{type(act).__name__}Incident.post"
    described = operation(
        id=f"{act.name}Incident",
        tag=TAG,
        answer=IncidentActAnswer,
        errors=(404, 409),
        summary=act.summary,
        body=act.Arguments,
        send=act.example,
    )
    view.post = described(post)  # type: ignore[attr-defined]
    return view


def jobs_of(incident: Incident) -> list[IncidentJobBody]:
    """Return the first jobs of an incident."""
    members = incident.members.filter(job__removed_at__isnull=True).select_related("job")
    return [
        {
            "id": row.job_id,
            "name": row.job.name,
            "status": row.job.status,
            "joined_at": row.joined_at,
            "left_at": row.left_at,
        }
        for row in members.order_by("pk")[:MOST_JOBS]
    ]


def history_of(incident: Incident) -> list[IncidentEntryBody]:
    """Return the last lines of the history of an incident, newest first."""
    rows = incident.entries.order_by("-pk")[:MOST_ENTRIES]
    return [{"at": row.at, "actor": row.actor, "act": row.act, "detail": row.detail} for row in rows]


def incident_body(incident: Incident) -> IncidentBody:
    """Return the body of an incident, the same in every answer."""
    assignee, acknowledged_by = incident.assignee, incident.acknowledged_by
    return {
        "id": incident.pk,
        "kind": incident.kind,
        "project": incident.project,
        "cause": incident.cause,
        "state": incident.state,
        "title": incident.title,
        "detail": incident.detail,
        "error": incident.error,
        "subjects": incident.subjects,
        "severity": incident.worst,
        "reopened": incident.reopened,
        "revision": incident.revision,
        "opened_at": incident.opened_at,
        "changed_at": incident.changed_at,
        "ended_at": incident.ended_at,
        "ended_by": incident.ended_by,
        "assignee": assignee.get_username() if assignee else None,
        "acknowledged_by": acknowledged_by.get_username() if acknowledged_by else None,
        "acknowledged_at": incident.acknowledged_at,
        "snoozed_until": incident.snoozed_until,
        "snoozed_until_grows": incident.snoozed_at_subjects is not None,
    }
