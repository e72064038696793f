"""The overview page: what needs attention, running jobs, the last runs, throughput, workers, deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from jobs.console.base import render_page, visible_jobs
from jobs.console.overview.context import Filters, overview_context
from jobs.console.overview.forms import FilterForm


def overview_page(request: HttpRequest, site: AdminSite) -> TemplateResponse:
    """Show the first page after signing in."""
    jobs = visible_jobs(request)
    filters = _filters(request)
    context: dict[str, Any] = {"title": "Overview", "app_list": site.get_app_list(request), "filters": filters}
    if jobs is not None:
        context |= overview_context(request, jobs, filters=filters, now=timezone.now())
    return render_page(request, site, "admin/index.html", context)


def _filters(request: HttpRequest) -> Filters:
    form = FilterForm(request.GET)
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if value}
