"""The acts on an endpoint: send a test, renew its secret, disable, enable, remove."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.deliveries.delivery_queries import endpoint_name, up_to_a_thousand
from jobs.console.deliveries.endpoint_views import MANAGE, endpoint_not_found, found_endpoint, manages, secret_page
from jobs.console.receiver_acts import Effects, ReceiverAct, ReceiverActView
from jobs.models import Endpoint
from jobs.models.outbox import EndpointKind
from jobs.rules.formatting import pluralize

# --- execution -------------------------------------------------------------------------------------


def _test(view: ReceiverActView[Endpoint], reason: str) -> None:
    outcome = operations.try_endpoint(view.receiver, actor=view.user)
    answer = f" (HTTP {outcome.status})" if outcome.status else ""
    if outcome.sent:
        messages.success(view.request, f"The endpoint accepted the test message{answer}.")
    else:
        messages.error(view.request, f"The test message was not delivered{answer}: {outcome.error}")


def _rotate(view: ReceiverActView[Endpoint], reason: str) -> HttpResponse:
    secret = operations.rotate_secret(view.receiver, actor=view.user)
    return secret_page(view.request, view.site, view.receiver, secret)


def _disable(view: ReceiverActView[Endpoint], reason: str) -> None:
    operations.disable_endpoint(view.receiver, actor=view.user, reason=reason)
    messages.success(view.request, "The endpoint is disabled and receives no more events.")


def _enable(view: ReceiverActView[Endpoint], reason: str) -> None:
    operations.enable_endpoint(view.receiver, actor=view.user)
    messages.success(view.request, "The endpoint is enabled and receives new events.")


def _remove(view: ReceiverActView[Endpoint], reason: str) -> HttpResponse:
    name = endpoint_name(view.receiver)
    waiting = operations.remove_endpoint(view.receiver, actor=view.user, reason=reason)
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


ENDPOINT_ACTS: dict[str, ReceiverAct[Endpoint]] = {
    "test": ReceiverAct("Send a test", _test_effects, _test),
    "rotate": ReceiverAct("Renew the secret", _rotate_effects, _rotate),
    "disable": ReceiverAct("Disable", _disable_effects, _disable, needs_reason=True, grave=True),
    "enable": ReceiverAct("Enable", _enable_effects, _enable),
    "remove": ReceiverAct("Remove", _remove_effects, _remove, needs_reason=True, grave=True),
}


class EndpointActView(ReceiverActView[Endpoint]):
    """The confirmation page of an act on an endpoint."""

    acts = ENDPOINT_ACTS
    shows_secret = True

    def __init__(self, request: HttpRequest, site: AdminSite, endpoint_id: str, slug: str) -> None:
        super().__init__(request, site, slug)
        self.endpoint_id = endpoint_id

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return endpoint_not_found(self.endpoint_id)

    @property
    def back(self) -> str:
        """The page of the endpoint."""
        return reverse("admin:endpoint-page", args=[self.receiver.pk])

    def missing_permission(self) -> str:
        """Check the permission to manage endpoints."""
        return "" if manages(self.request) else MANAGE

    def found(self) -> Endpoint | None:
        """Find the endpoint."""
        return found_endpoint(self.request, self.endpoint_id)

    def name_and_address(self) -> tuple[str, str]:
        """Return the name and the address."""
        return endpoint_name(self.receiver), self.receiver.url
