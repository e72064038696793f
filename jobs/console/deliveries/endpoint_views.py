"""The pages of endpoints: add one, change it, and show it with its latest deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from jobs import operations
from jobs.console.base import forbidden_page, not_found_page, render_page
from jobs.console.deliveries.delivery_queries import endpoint_name, up_to_a_thousand, visible_endpoints
from jobs.console.deliveries.forms import EndpointForm
from jobs.models import Endpoint
from jobs.models.outbox import EndpointKind
from jobs.rules.errors import BadInput, Refused

SEE = "To see endpoints, your account needs the permission jobs.view_endpoint (role viewer)."
MANAGE = "To manage endpoints, your account needs the permission jobs.manage_endpoints (role lead)."
LISTED = 10


def manages(request: HttpRequest) -> bool:
    """Return whether this account may add, change, test and remove endpoints."""
    return request.user.has_perm("jobs.manage_endpoints")


def found_endpoint(request: HttpRequest, endpoint_id: str) -> Endpoint | None:
    """Return the endpoint if it is visible to the account."""
    visible = visible_endpoints(request)
    return visible.filter(pk=int(endpoint_id)).first() if visible is not None else None


def endpoint_not_found(endpoint_id: str) -> str:
    """Return the sentence of the 404 page."""
    return f"Endpoint {endpoint_id} does not exist or is not visible to you. It may have been removed."


def endpoint_page(request: HttpRequest, site: AdminSite, endpoint_id: str) -> HttpResponse:
    """Show an endpoint: its address, its events, its waiting and its dead deliveries."""
    if visible_endpoints(request) is None:
        return forbidden_page(request, site, SEE)
    endpoint = found_endpoint(request, endpoint_id)
    if endpoint is None:
        return not_found_page(request, site, endpoint_not_found(endpoint_id))
    context = {
        "title": endpoint_name(endpoint),
        "endpoint": endpoint,
        "webhook": endpoint.kind == EndpointKind.WEBHOOK,
        "may_manage": manages(request),
        "waiting": up_to_a_thousand(endpoint.deliveries.waiting()),
        "dead": up_to_a_thousand(endpoint.deliveries.dead()),
        "latest": endpoint.deliveries.select_related("event", "job").order_by("-pk")[:LISTED],
        "may_see_deliveries": request.user.has_perm("jobs.view_delivery"),
    }
    return render_page(request, site, "jobs/deliveries/endpoint.html", context)


@never_cache
def add_endpoint(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Add an endpoint. Its secret is shown once, in the response to the form."""
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    form = EndpointForm(request.POST or None)
    added = _add(request, form) if request.method == "POST" and form.is_valid() else None
    if added and not added.secret:
        messages.success(request, "The endpoint was added.")
        return HttpResponseRedirect(reverse("admin:endpoint-page", args=[added.endpoint.pk]))
    if added:
        return secret_page(request, site, added.endpoint, added.secret)
    return _form_page(request, site, form, title="Add an endpoint", button="Add the endpoint")


def change_endpoint(request: HttpRequest, site: AdminSite, endpoint_id: str) -> HttpResponse:
    """Change the name, the address or the events of an endpoint."""
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    endpoint = found_endpoint(request, endpoint_id)
    if endpoint is None:
        return not_found_page(request, site, endpoint_not_found(endpoint_id))
    initial = {
        "url": endpoint.url,
        "name": endpoint.name,
        "types": "\n".join(endpoint.types),
        "format": endpoint.format,
    }
    form = EndpointForm(request.POST or None, initial=initial)
    del form.fields["project"]
    if request.method == "POST" and form.is_valid() and _change(request, form, endpoint):
        messages.success(request, "The endpoint was changed.")
        return HttpResponseRedirect(reverse("admin:endpoint-page", args=[endpoint.pk]))
    back = reverse("admin:endpoint-page", args=[endpoint.pk])
    return _form_page(request, site, form, title=f"Change: {endpoint_name(endpoint)}", button="Save", back=back)


def secret_page(request: HttpRequest, site: AdminSite, endpoint: Endpoint, secret: str) -> HttpResponse:
    """Show a new secret, once."""
    context = {"title": f"Secret of {endpoint_name(endpoint)}", "endpoint": endpoint, "secret": secret}
    return render_page(request, site, "jobs/deliveries/endpoint_form.html", context)


def _form_page(request: HttpRequest, site: AdminSite, form: EndpointForm, **context: Any) -> HttpResponse:
    otherwise = {"back": reverse("admin:jobs_endpoint_changelist")}
    return render_page(request, site, "jobs/deliveries/endpoint_form.html", {**otherwise, "form": form, **context})


def _add(request: HttpRequest, form: EndpointForm) -> operations.Added | None:
    assert isinstance(request.user, User)
    try:
        return operations.add_endpoint(**form.cleaned_data, actor=request.user)
    except Refused as error:
        _add_errors(form, error)
        return None


def _change(request: HttpRequest, form: EndpointForm, endpoint: Endpoint) -> bool:
    assert isinstance(request.user, User)
    try:
        operations.change_endpoint(endpoint, **form.cleaned_data, actor=request.user)
    except Refused as error:
        _add_errors(form, error)
        return False
    return True


def _add_errors(form: EndpointForm, error: Refused) -> None:
    """Show a refusal at its field, else above the form."""
    if not isinstance(error, BadInput):
        return form.add_error(None, error.detail)
    for field, detail in error.errors.items():
        form.add_error(field if field in form.fields else None, detail)
    return None
