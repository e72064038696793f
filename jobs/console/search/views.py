"""The page of the global search, and its results alone for the dialog."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from jobs.access import access_of
from jobs.console.base import forbidden_page, query_text, render_page
from jobs.console.search import finders
from jobs.console.search.registry import SearchQuery, search
from jobs.rules.limits import KEY_LENGTH

__all__ = ["finders", "search_page", "search_results"]
NEEDED = "To search, an account needs the permission jobs.view_job (role viewer)."


def search_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the search field and the results for `?q=`."""
    return _answer(request, site, "jobs/search/page.html")


def search_results(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Return the results for `?q=` as a part of a page."""
    return _answer(request, site, "jobs/search/results.html")


def _answer(request: HttpRequest, site: AdminSite, template: str) -> HttpResponse:
    access = access_of(request.user)
    if not access.may("view_job"):
        return forbidden_page(request, site, NEEDED)
    text = query_text(request, "q").strip()[:KEY_LENGTH]
    context: dict[str, Any] = {"title": "Search", "query": text, "groups": []}
    if text:
        context["groups"] = search(SearchQuery(text, access, request, timezone.now()))
    return render_page(request, site, template, context)
