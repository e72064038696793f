"""The page that limits the leased items of a project."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.base import forbidden_page, query_text, render_page
from jobs.models import ProjectLimit
from jobs.models.jobs import projects_of
from jobs.rules.errors import BadInput, Refused
from jobs.rules.limits import MOST_LEASED, PROJECT_LENGTH, REASON_LENGTH

MANAGE = "To limit projects, your account needs the permission jobs.manage_limits (role lead)."


class ProjectLimitForm(forms.Form):
    """A project and its limit."""

    project = forms.CharField(
        max_length=PROJECT_LENGTH, required=False, help_text="Empty: the jobs that have no project."
    )
    max_leased = forms.IntegerField(
        label="Leased items at once",
        min_value=1,
        max_value=MOST_LEASED,
        required=False,
        help_text="In all unfinished jobs of the project together. Empty removes the limit. Existing leases stay.",
    )
    reason = forms.CharField(
        max_length=REASON_LENGTH, required=False, help_text="Optional. Stored with your name in the audit log."
    )


def limit_project(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Set, change or remove the limit of a project."""
    if not request.user.has_perm("jobs.manage_limits"):
        return forbidden_page(request, site, MANAGE)
    form = ProjectLimitForm(request.POST or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid() and _set(request, form):
        return HttpResponseRedirect(reverse("admin:jobs_projectlimit_changelist"))
    context = {"title": "Limit a project", "form": form, "button": "Save the limit"}
    back = reverse("admin:jobs_projectlimit_changelist")
    return render_page(request, site, "jobs/limits/project.html", {**context, "back": back})


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the project that the address names, with its limit if the account may see it."""
    project, projects = query_text(request, "project"), projects_of(request.user)
    visible = projects is None or project in projects
    limit = ProjectLimit.objects.filter(project=project).first() if visible and "project" in request.GET else None
    return {"project": project, "max_leased": limit.max_leased if limit else None}


def _set(request: HttpRequest, form: ProjectLimitForm) -> bool:
    assert isinstance(request.user, User)
    try:
        changed = operations.set_project_limit(**form.cleaned_data, actor=request.user)
    except BadInput as error:
        for field, detail in error.errors.items():
            form.add_error(field, detail)
        return False
    except Refused as error:
        form.add_error(None, error.detail)
        return False
    messages.success(request, "The limit was changed." if changed else "The limit is so already.")
    return True
