"""REST calls of operators: one for each registered act, and the list of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from django.urls import URLPattern, path
from rest_framework.request import Request

from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.responses import ActAnswer, ActArgumentsBody, ActsAnswer
from jobs.api.schema import operation
from jobs.operations import ACTS, INCIDENT_ACTS, Act, Operation
from jobs.operations.incidents import IncidentOperation
from jobs.rules.incidents import ONGOING
from jobs.serializers import job_body

# Description that the calls of all acts share.
ACT: dict[str, Any] = {"tag": "acts", "answer": ActAnswer, "errors": (404, 409)}
REASON = {"reason": "Storage is back."}


class ActView(APIBaseView):
    """Base of the calls that act on a job and answer with it: `writes` is the permission of the act."""

    act: ClassVar[Operation]

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions to see the job and to act on it."""
        return (cls.reads, cls.writes)

    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Run the act on one job."""
        job = self.job(job_id)
        given = decode_body(request, self.act.Arguments)
        return act_response(self.act(job, actor=self.account, **msgspec.structs.asdict(given)))


class Acts(APIBaseView):
    """The acts on jobs and on incidents."""

    @operation(id="listActs", tag="acts", summary="List the acts", answer=ActsAnswer)
    def get(self, request: Request) -> HttpResponse:
        """List name, label, permission, legal states and arguments of every act."""
        on_jobs = [_row(act, act.states, act.reason_required) for act in ACTS.values()]
        on_incidents = [_row(act, ONGOING, "reason" in _arguments(act)["required"]) for act in INCIDENT_ACTS.values()]
        return json_response({"results": on_jobs, "incident_acts": on_incidents})


def act_urls(prefix: str) -> list[URLPattern]:
    """Return one address for each act, below that of a job."""
    acts = [act for act in ACTS.values() if not act.removes_job]
    return [path(f"{prefix}/{act.name}", _view(act).as_view(), name=f"api-{act.name}") for act in acts]


def act_response(act: Act) -> HttpResponse:
    """Answer with the result of an act."""
    refused = [{"id": row.id, "detail": row.detail} for row in act.refused]
    return json_response({"changed": act.changed, "refused": refused, "detail": act.detail, "job": job_body(act.job)})


def _view(act: Operation) -> type[ActView]:
    """Make the view of an act, described for OpenAPI."""
    view: type[ActView] = type(
        type(act).__name__, (ActView,), {"__doc__": type(act).__doc__, "act": act, "writes": act.codename}
    )

    def post(self: ActView, request: Request, job_id: int) -> HttpResponse:
        return ActView.post(self, request, job_id)

    post.__doc__ = type(act).__doc__
    post.__qualname__ = f"{type(act).__name__}.post"
    described = operation(**ACT, id=act.operation_id, summary=act.summary, body=act.Arguments, send=act.example)
    view.post = described(post)  # type: ignore[method-assign]
    return view


def _row(act: Operation | IncidentOperation, states: Iterable[str], reason_required: bool) -> dict[str, Any]:
    return {
        "name": act.name,
        "label": act.label,
        "permission": act.permission,
        "states": [str(state) for state in states],
        "reason_required": reason_required,
        "arguments": _arguments(act),
    }


def _arguments(act: Operation | IncidentOperation) -> ActArgumentsBody:
    schema: dict[str, Any] = msgspec.json.schema(act.Arguments)
    arguments = next(iter(schema.get("$defs", {}).values()), schema)
    return {"properties": arguments.get("properties", {}), "required": arguments.get("required", [])}
