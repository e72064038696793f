"""Helpers that every console page uses: rendering, visible jobs, query parameters, the return address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, QueryDict
from django.template.response import TemplateResponse
from django.urls import get_script_prefix, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from jobs.access import access_of
from jobs.models.jobs import JobQuerySet, projects_of

LONGEST_ID = 18


def render_page(
    request: HttpRequest, site: AdminSite, template: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """Render a template inside the admin layout."""
    return TemplateResponse(request, template, {**site.each_context(request), **context}, status=status)


def not_found_page(request: HttpRequest, site: AdminSite, detail: str) -> TemplateResponse:
    """Render a 404 page inside the admin layout."""
    context = {"title": "Not found", "detail": detail}
    return render_page(request, site, "jobs/message.html", context, status=404)


def forbidden_page(request: HttpRequest, site: AdminSite, detail: str) -> TemplateResponse:
    """Render a 403 page inside the admin layout; `detail` names the missing permission."""
    context = {"title": "Not permitted", "detail": detail}
    return render_page(request, site, "jobs/message.html", context, status=403)


def not_visible(noun: str, pk: str) -> str:
    """Return the sentence of a 404 page for a job or an item."""
    return f"{noun} {pk} does not exist or is not visible to you. It may have been pruned."


def visible_jobs(request: HttpRequest) -> JobQuerySet | None:
    """Return the jobs that the account may see, or None without the permission to view jobs."""
    access = access_of(request.user)
    return access.jobs() if access.may("view_job") else None


def visible_projects(request: HttpRequest) -> list[str] | None:
    """Return the projects that are visible to the account, None for all; read once for a request."""
    if not hasattr(request, "visible_projects"):
        request.visible_projects = projects_of(request.user)  # type: ignore[attr-defined]
    found: list[str] | None = request.visible_projects  # type: ignore[attr-defined]
    return found


def query_text(request: HttpRequest, name: str) -> str:
    """Return a query parameter without NUL characters, which PostgreSQL cannot store."""
    return request.GET.get(name, "").replace("\0", "")


def back_url(request: HttpRequest, *, otherwise: str = "") -> str:
    """Return the address to go back to, with its filters: a path of this site, else `otherwise`, else the overview."""
    url = request.POST.get("back") or request.GET.get("back") or ""
    safe = url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return url if url.startswith("/") and safe else otherwise or reverse("admin:index")


def ids_in_query(query: QueryDict, name: str, *, most: int) -> list[int]:
    """Return the ids given under this query parameter, at most `most`; ignore values that are not numbers."""
    texts = [text for text in query.getlist(name) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID]
    return [int(text) for text in texts[:most]]


def live(*, now: datetime, socket: str, poll: str, single: bool, over: bool = False) -> dict[str, Any]:
    """Return the template context of a live page.

    A page that is `over` shows a finished job: without scripts the browser does not reload it.
    """
    address = f"{get_script_prefix().rstrip('/')}{socket}"
    return {"live": {"socket": address, "poll": poll, "single": single, "over": over}, "now": now}
