"""The page of the wall, for a signed-in account or for a link."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs.console.base import LONGEST_ID, visible_jobs
from jobs.console.job_rows import rows_of
from jobs.console.overview.context import overview_context
from jobs.models import Job, SavedView
from jobs.models.jobs import projects_of
from jobs.operations.wall_links import LIST, wall_link_of

LISTED = 24
ENDED = "This link of the wall is not valid. It has expired or was revoked; ask a lead for a new one."


def wall_page(request: HttpRequest) -> HttpResponse:
    """Show the wall of a signed-in account: `?wall` the overview, `?wall=7` a saved view of jobs."""
    number = request.GET.get("wall", "")
    is_id = number.isascii() and number.isdigit() and len(number) <= LONGEST_ID
    seen = SavedView.objects.visible_to(request.user.pk, is_limited=projects_of(request.user) is not None)
    return _wall(request, seen.filter(pk=int(number), list_name=LIST).first() if is_id else None)


@never_cache
@require_safe
def linked_wall(request: HttpRequest, secret: str) -> HttpResponse:
    """Show the wall of a link with the access that its account has now; 404 once it is not valid."""
    link = wall_link_of(secret, now=timezone.now())
    if link is None:
        return _render(request, {"title": "Wall", "ended": ENDED}, status=404)
    # The session of the browser plays no part: the link gives no more and no less than it says.
    request.user = link.created_by
    return _wall(request, link.view, label=link.label)


def _wall(request: HttpRequest, view: SavedView | None, *, label: str = "") -> HttpResponse:
    jobs, now = visible_jobs(request), timezone.now()
    if jobs is None:
        return _render(request, {"title": "Wall", "ended": ENDED}, status=404)
    name = label or (view.name if view else "Overview")
    context: dict[str, Any] = {"title": name, "now": now}
    if view is None:
        context |= overview_context(request, jobs, filters={}, now=now) | {"title": name, "live": None}
    else:
        context["rows"] = list(rows_of(_listed(request, view), now=now).values())
    return _render(request, context)


def _listed(request: HttpRequest, view: SavedView) -> list[Job]:
    """Return the first jobs of a saved view, as its list shows them; none where its filters are not valid any more."""
    request.GET = QueryDict(view.query)
    try:
        found: list[Job] = list(admin.site._registry[Job].get_changelist_instance(request).result_list[:LISTED])
    except IncorrectLookupParameters:
        return []
    return found


def _render(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return TemplateResponse(request, "jobs/wall/wall.html", context, status=status)
