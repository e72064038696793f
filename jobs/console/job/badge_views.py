"""The page that asks before the links of a job's badge are renewed, and the renewal."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from jobs import operations
from jobs.console.base import back_url, forbidden_page, not_found_page, render_page, visible_jobs
from jobs.console.forms import ReasonForm
from jobs.models import Job
from jobs.rules.errors import Refused

NEEDED = "To renew the links of a badge an account needs jobs.view_job and jobs.share_job (role operator)."
CHANGED = "Somebody has renewed the links since you looked. Look again and confirm."


def renew_badge(request: HttpRequest, site: AdminSite, job_id: str) -> HttpResponse:
    """Ask, and on a confirmed form end the links that were given out."""
    jobs = visible_jobs(request)
    if jobs is None or not request.user.has_perm("jobs.share_job"):
        return forbidden_page(request, site, NEEDED)
    job = jobs.filter(pk=int(job_id)).first()
    if job is None:
        return not_found_page(request, site, f"There is no job {job_id} in your sight. It may have been pruned.")
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
