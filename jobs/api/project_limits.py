"""REST calls for the limits of projects."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from django.http import HttpResponse
from msgspec import Struct
from rest_framework.request import Request

from jobs import operations
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.schema import operation
from jobs.models import ProjectLimit
from jobs.rules.field_types import MaxLeased, Project, Sentence

EXAMPLE = {"project": "matter-789", "max_leased": 20, "reason": "The storage serves twenty."}


class ProjectLimitInput(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    """The limit of a project; `max_leased` null removes it."""

    project: Project
    max_leased: MaxLeased | None
    reason: Sentence = ""


class ProjectLimitBody(TypedDict):
    """The limit of a project, and how many items are leased in its unfinished jobs."""

    project: str
    max_leased: int
    leased: int


class ProjectLimitPage(TypedDict):
    """The limits of every project that is visible to the account; there is no further page."""

    results: list[ProjectLimitBody]
    next: str | None


class ProjectLimitAnswer(TypedDict):
    """The change of a limit: 1, or 0 where it was so already."""

    changed: int


class ProjectLimits(APIBaseView):
    """Limits of the leased items of projects."""

    writes: ClassVar[str] = "manage_limits"

    @operation(id="listProjectLimits", summary="List the limits of projects", tag="acts", answer=ProjectLimitPage)
    def get(self, request: Request) -> HttpResponse:
        """List the limits of the account's projects with the number of leased items."""
        found = ProjectLimit.objects.with_leased()
        if self.access.projects is not None:
            found = found.filter(project__in=self.access.projects)
        return json_response({"results": [_row(limit) for limit in found], "next": None})

    @operation(
        id="setProjectLimit",
        summary="Limit the leased items of a project",
        tag="acts",
        body=ProjectLimitInput,
        answer=ProjectLimitAnswer,
        send=EXAMPLE,
    )
    def put(self, request: Request) -> HttpResponse:
        """Set the limit, or remove it with null. Existing leases stay."""
        given = decode_body(request, ProjectLimitInput)
        changed = operations.set_project_limit(given.project, given.max_leased, reason=given.reason, actor=self.account)
        return json_response({"changed": int(changed)})


def _row(limit: ProjectLimit) -> ProjectLimitBody:
    leased: int = limit.leased  # type: ignore[attr-defined]
    return {"project": limit.project, "max_leased": limit.max_leased, "leased": leased}
