"""Saving and deleting a view of a list, from the list."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from jobs.console.base import back_url
from jobs.operations.saved_views import delete_view, save_view
from jobs.rules.errors import BadInput, NotFound


def save_list_view(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Save the filters of a list under a name, and show the list with them again."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    assert isinstance(request.user, User)
    list_name = request.POST.get("list", "")
    if not may_open(request, site, list_name):
        messages.error(request, "There is no such list, or your account may not open it.")
        return HttpResponseRedirect(back_url(request))
    shared, query = request.POST.get("shared") == "1", request.POST.get("query", "").removeprefix("?")
    try:
        view = save_view(request.POST.get("name", ""), list_name=list_name, query=query, shared=shared, by=request.user)
    except BadInput as error:
        for text in error.errors.values():
            messages.error(request, f"The view was not saved. {text}")
    else:
        messages.success(request, f"The view “{view.name}” is saved{' and shared' if view.shared else ''}.")
    return HttpResponseRedirect(back_url(request))


def delete_list_view(request: HttpRequest, site: AdminSite, view_id: int) -> HttpResponse:
    """Delete a view, and show the list again."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    assert isinstance(request.user, User)
    try:
        view = delete_view(view_id, by=request.user)
        messages.success(request, f"The view “{view.name}” is deleted.")
    except NotFound as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(back_url(request))


def may_open(request: HttpRequest, site: AdminSite, list_name: str) -> bool:
    """Return whether there is this list (`jobs_job`), and the account may open it."""
    lists = {f"{model._meta.app_label}_{model._meta.model_name}": each for model, each in site._registry.items()}
    return list_name in lists and lists[list_name].has_view_permission(request)
