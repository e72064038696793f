"""The acts on an endpoint: send a test, renew its secret, disable, enable, remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.confirm_view import ConfirmView, ReasonForm
from jobs.console.deliveries.delivery_queries import endpoint_name, up_to_a_thousand
from jobs.console.deliveries.endpoint_views import MANAGE, endpoint_not_found, found_endpoint, manages, secret_page
from jobs.models import Endpoint
from jobs.models.outbox import EndpointKind
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

Effects = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class EndpointAct:
    """An act on an endpoint: its label, its effects in sentences, and the function that does it.

    A response of `execute` replaces the redirect to the page of the endpoint.
    """

    label: str
    effects: Callable[[Endpoint], Effects]
    execute: Callable[[EndpointActView, str], HttpResponse | None]
    needs_reason: bool = False
    grave: bool = False


class EndpointActView(ConfirmView):
    """The confirmation page of an act on an endpoint."""

    shows_secret = True

    endpoint: Endpoint

    def __init__(self, request: HttpRequest, site: AdminSite, endpoint_id: str, slug: str) -> None:
        super().__init__(request, site)
        self.endpoint_id, self.act = endpoint_id, ENDPOINT_ACTS[slug]
        self.grave = self.act.grave

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return endpoint_not_found(self.endpoint_id)

    @property
    def back(self) -> str:
        """The page of the endpoint."""
        return reverse("admin:endpoint-page", args=[self.endpoint.pk])

    def missing_permission(self) -> str:
        """Check the permission to manage endpoints."""
        return "" if manages(self.request) else MANAGE

    def find(self) -> bool:
        """Find the endpoint."""
        endpoint = found_endpoint(self.request, self.endpoint_id)
        if endpoint is not None:
            self.endpoint = endpoint
        return endpoint is not None

    def form(self) -> forms.Form:
        """Return a form with a reason where the act keeps one."""
        form_class = ReasonForm if self.act.needs_reason else forms.Form
        return form_class(self.request.POST if self.is_confirmed else None)

    def context(self) -> dict[str, Any]:
        """Describe the effects."""
        return {
            "title": f"{self.act.label}: {endpoint_name(self.endpoint)}",
            "effects": [("Address", self.endpoint.url), *self.act.effects(self.endpoint)],
            "button": self.act.label,
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Act, and show the refusal if there is one."""
        try:
            response = self.act.execute(self, form.cleaned_data.get("reason", ""))
        except Refused as error:
            messages.error(self.request, error.detail)
            response = None
        return response or self.go_back()


# --- execution -------------------------------------------------------------------------------------


def _test(view: EndpointActView, reason: str) -> None:
    outcome = operations.try_endpoint(view.endpoint, actor=view.user)
    answer = f" (HTTP {outcome.status})" if outcome.status else ""
    if outcome.sent:
        messages.success(view.request, f"The endpoint accepted the test message{answer}.")
    else:
        messages.error(view.request, f"The test message was not delivered{answer}: {outcome.error}")


def _rotate(view: EndpointActView, reason: str) -> HttpResponse:
    secret = operations.rotate_secret(view.endpoint, actor=view.user)
    return secret_page(view.request, view.site, view.endpoint, secret)


def _disable(view: EndpointActView, reason: str) -> None:
    operations.disable_endpoint(view.endpoint, actor=view.user, reason=reason)
    messages.success(view.request, "The endpoint is disabled and receives no more events.")


def _enable(view: EndpointActView, reason: str) -> None:
    operations.enable_endpoint(view.endpoint, actor=view.user)
    messages.success(view.request, "The endpoint is enabled and receives new events.")


def _remove(view: EndpointActView, reason: str) -> HttpResponse:
    name = endpoint_name(view.endpoint)
    waiting = operations.remove_endpoint(view.endpoint, actor=view.user, reason=reason)
    lost = pluralize(waiting, "waiting delivery", "waiting deliveries")
    messages.success(view.request, f"{name} is removed, with {lost}.")
    return HttpResponseRedirect(reverse("admin:jobs_endpoint_changelist"))


# --- description -----------------------------------------------------------------------------------


def _test_effects(endpoint: Endpoint) -> Effects:
    signed = ", signed like every event" if endpoint.kind == EndpointKind.WEBHOOK else ""
    return [
        ("Will be sent", f"One message of the type endpoint.test, now{signed}. It is not stored as an event."),
        ("Result", "The next page shows whether the endpoint accepted it, and the response."),
    ]


def _rotate_effects(endpoint: Endpoint) -> Effects:
    return [
        ("New secret", "Created now and shown once."),
        ("Old secret", "Signs together with the new one for one day. Change the receiver within that day."),
    ]


def _disable_effects(endpoint: Endpoint) -> Effects:
    return [
        ("Waiting", f"{_waiting(endpoint)} marked as dead; you can deliver them again later."),
        ("New events", "Not stored for this endpoint while it is disabled, and never sent to it."),
        ("Undo", "Enable the endpoint."),
    ]


def _enable_effects(endpoint: Endpoint) -> Effects:
    return [
        ("New events", "Sent to this endpoint from now on."),
        ("Dead deliveries", "Not sent automatically. Use “Deliver again” to send them."),
    ]


def _remove_effects(endpoint: Endpoint) -> Effects:
    return [
        ("Lost", f"{_waiting(endpoint)} removed with it, and so is the history of its deliveries."),
        ("Undo", "Not possible."),
    ]


def _waiting(endpoint: Endpoint) -> str:
    count = up_to_a_thousand(endpoint.deliveries.waiting())
    return pluralize(count, "waiting delivery is", "waiting deliveries are")


ENDPOINT_ACTS: dict[str, EndpointAct] = {
    "test": EndpointAct("Send a test", _test_effects, _test),
    "rotate": EndpointAct("Renew the secret", _rotate_effects, _rotate),
    "disable": EndpointAct("Disable", _disable_effects, _disable, needs_reason=True, grave=True),
    "enable": EndpointAct("Enable", _enable_effects, _enable),
    "remove": EndpointAct("Remove", _remove_effects, _remove, needs_reason=True, grave=True),
}
