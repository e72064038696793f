"""What every page has in common: the site's context, the jobs in sight, the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from jobs.access import access_of
from jobs.models.jobs import JobQuerySet

LONGEST_ID = 18


def render_page(
    request: HttpRequest, site: AdminSite, template: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """A page in the admin's shell."""
    return TemplateResponse(request, template, {**site.each_context(request), **context}, status=status)


def not_found_page(request: HttpRequest, site: AdminSite, detail: str) -> TemplateResponse:
    """404 in the admin's clothes."""
    context = {"title": "Not found", "detail": detail}
    return render_page(request, site, "jobs/message.html", context, status=404)


def forbidden_page(request: HttpRequest, site: AdminSite, detail: str) -> TemplateResponse:
    """403 in the admin's clothes, with the permission that is missing."""
    context = {"title": "Not permitted", "detail": detail}
    return render_page(request, site, "jobs/message.html", context, status=403)


def visible_jobs(request: HttpRequest) -> JobQuerySet | None:
    """The jobs in this account's sight, or None where it may not see jobs at all."""
    access = access_of(request.user)
    return access.jobs() if access.may("view_job") else None


def query_text(request: HttpRequest, name: str) -> str:
    """A text of the address, without the NUL that no database keeps."""
    return request.GET.get(name, "").replace("\0", "")


def back_url(request: HttpRequest, *, otherwise: str = "") -> str:
    """The page of this site that one came from, with its filters."""
    wish = request.POST.get("back") or request.GET.get("back") or ""
    safe = url_has_allowed_host_and_scheme(wish, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wish if wish.startswith("/") and safe else otherwise or reverse("admin:index")


def numbers(query: QueryDict, name: str, *, most: int) -> list[int]:
    """The ids given under this name in an address, at most so many."""
    texts = [text for text in query.getlist(name) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID]
    return [int(text) for text in texts[:most]]


def live(*, now: datetime, socket: str, poll: str, single: bool, over: bool = False) -> dict[str, Any]:
    """What the browser needs to keep a page current; one that is `over` is not loaded again without scripts."""
    return {"live": {"socket": socket, "poll": poll, "single": single, "over": over}, "now": now}
