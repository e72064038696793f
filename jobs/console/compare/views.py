"""The page that compares two jobs."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from jobs.access import access_of
from jobs.console.base import forbidden_page, ids_in_query, not_found_page, not_visible, render_page
from jobs.console.compare.comparison import compare
from jobs.models import Job

NEEDED = "To compare jobs, an account needs the permission jobs.view_job (role viewer)."


def compare_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show two jobs side by side; without two ids the page says how to choose them."""
    access = access_of(request.user)
    if not access.may("view_job"):
        return forbidden_page(request, site, NEEDED)
    ids = list(dict.fromkeys(ids_in_query(request.GET, "job", most=3)))
    if len(ids) != 2:
        detail = "Tick two rows in a list of jobs, then press Compare two…"
        context: dict[str, Any] = {
            "title": "Compare two jobs",
            "detail": detail,
            "back": reverse("admin:jobs_job_changelist"),
        }
        return render_page(request, site, "jobs/compare.html", context)
    found: dict[int, Job] = {job.pk: job for job in access.jobs().filter(pk__in=ids).prefetch_related("phases")}
    for pk in ids:
        if pk not in found:
            return not_found_page(request, site, not_visible("Job", str(pk)))
    first, second = (found[pk] for pk in ids)
    compared = compare(first, second, access.projects, now=timezone.now())
    context = {
        "title": f"{first.name} and {second.name}",
        "compared": compared,
        "swapped": f"?job={second.pk}&job={first.pk}",
    }
    return render_page(request, site, "jobs/compare.html", context)
