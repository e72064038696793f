"""Renewal of a job's badge links: the confirmation page and the act."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from jobs import operations
from jobs.console.base import back_url, forbidden_page, not_found_page, not_visible, render_page, visible_jobs
from jobs.console.forms import ReasonForm
from jobs.models import Job
from jobs.rules.errors import Refused

NEEDED = "To renew badge links, an account needs the permissions jobs.view_job and jobs.share_job (role operator)."
CHANGED = "The links were renewed after you opened this page. Check and confirm again."


def renew_badge(request: HttpRequest, site: AdminSite, job_id: str) -> HttpResponse:
    """Show the confirmation page; on a confirmed form revoke the current links."""
    jobs = visible_jobs(request)
    if jobs is None or not request.user.has_perm("jobs.share_job"):
        return forbidden_page(request, site, NEEDED)
    job = jobs.filter(pk=int(job_id)).first()
    if job is None:
        return not_found_page(request, site, not_visible("Job", job_id))
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if request.POST.get("series") == str(job.badge_series):
            return _renew(request, job, reason=form.cleaned_data["reason"])
        messages.warning(request, CHANGED)
    context = {"title": f"Renew the badge links: {job.name}", "job": job, "form": form, "back": _back(request, job)}
    return render_page(request, site, "jobs/badge_links.html", context)


def _renew(request: HttpRequest, job: Job, *, reason: str) -> HttpResponse:
    assert isinstance(request.user, User)
    try:
        act = operations.renew_badge(job, actor=request.user, reason=reason)
        messages.success(request, f"{job.name}: {act.detail}")
    except Refused as error:
        messages.error(request, f"{job.name}: {error.detail}")
    return HttpResponseRedirect(_back(request, job))


def _back(request: HttpRequest, job: Job) -> str:
    return back_url(request, otherwise=job.get_absolute_url())
