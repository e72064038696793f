"""The confirmation page before the links of a job's badge are renewed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from jobs import operations
from jobs.console.base import back_url, not_visible, visible_jobs
from jobs.console.confirm_view import ConfirmView, changed_sentence
from jobs.models import Job
from jobs.rules.errors import Refused

NEEDED = "To renew the links of a badge, your account needs jobs.view_job and jobs.share_job (role operator)."


class BadgeRenewalView(ConfirmView):
    """The confirmation page of new badge links."""

    grave = True
    changed = changed_sentence("The links were renewed")

    job: Job

    def __init__(self, request: HttpRequest, site: AdminSite, job_id: str) -> None:
        super().__init__(request, site)
        self.job_id = job_id

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return not_visible("Job", self.job_id)

    @property
    def back(self) -> str:
        """The page that the operator came from, else the page of the job."""
        return back_url(self.request, otherwise=self.job.get_absolute_url())

    def missing_permission(self) -> str:
        """Check the permissions to see jobs and to share them."""
        allowed = visible_jobs(self.request) is not None and self.user.has_perm("jobs.share_job")
        return "" if allowed else NEEDED

    def find(self) -> bool:
        """Find the job."""
        visible = visible_jobs(self.request)
        job = None if visible is None else visible.filter(pk=int(self.job_id)).first()
        if job is not None:
            self.job = job
        return job is not None

    def state(self) -> int:
        """Return the number of the current links."""
        return self.job.badge_series

    def context(self) -> dict[str, Any]:
        """Describe the effects."""
        link = format_html('<a href="{}">{}</a>', self.job.get_absolute_url(), self.job.name)
        return {
            "title": f"Renew the badge links: {self.job.name}",
            "effects": [
                ("Job", link),
                ("New links", "The badge and the progress bar of this job get new links."),
                ("Old links", "They stop working: pages that embed them show no image."),
                ("Undo", "Not possible: an old link never works again."),
            ],
            "button": "Renew the links",
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Renew the links."""
        try:
            act = operations.renew_badge(self.job, actor=self.user, reason=form.cleaned_data["reason"])
            messages.success(self.request, f"{self.job.name}: {act.detail}")
        except Refused as error:
            messages.error(self.request, f"{self.job.name}: {error.detail}")
        return self.go_back()
