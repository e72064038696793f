"""The glossary page."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.base import render_page
from jobs.console.glossary.terms import GROUPS


def glossary_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the terms of the console in groups; every staff user may see them."""
    context = {"title": "Glossary", "groups": [(title, group.items()) for title, group in GROUPS.items()]}
    return render_page(request, site, "jobs/glossary.html", context)
