"""What a lead does with an endpoint: try it, renew its secret, disable, enable and remove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from jobs import operations
from jobs.console.base import forbidden_page, not_found_page, render_page
from jobs.console.deliveries.delivery_queries import place, up_to_a_thousand
from jobs.console.deliveries.endpoint_views import MANAGE, found_endpoint, manages, secret_page
from jobs.console.forms import ReasonForm
from jobs.models import Endpoint
from jobs.models.outbox import EndpointKind
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize


@dataclass(frozen=True, slots=True)
class Request:
    """Who does it to which endpoint, and why."""

    http: HttpRequest
    site: AdminSite
    endpoint: Endpoint
    reason: str

    @property
    def actor(self) -> User:
        """The account that asks."""
        assert isinstance(self.http.user, User)
        return self.http.user


@dataclass(frozen=True, slots=True)
class EndpointAct:
    """An act, the sentences that the page says before it, and what does it; an answer replaces the way back."""

    title: str
    effects: Callable[[Endpoint], list[tuple[str, str]]]
    do: Callable[[Request], HttpResponse | None]
    asks_why: bool = False
    grave: bool = False


@never_cache
def endpoint_act(request: HttpRequest, site: AdminSite, endpoint_id: str, slug: str) -> HttpResponse:
    """Ask, and on a confirmed form do it."""
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    endpoint = found_endpoint(request, endpoint_id)
    if endpoint is None:
        return not_found_page(request, site, f"There is no endpoint {endpoint_id} in your sight.")
    act = ENDPOINT_ACTS[slug]
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _do(act, Request(request, site, endpoint, form.cleaned_data["reason"]))
    return _ask(request, site, endpoint, act, form)


def _ask(request: HttpRequest, site: AdminSite, endpoint: Endpoint, act: EndpointAct, form: ReasonForm) -> HttpResponse:
    context = {
        "title": f"{act.label}: {place(endpoint)}",
        "act": act,
        "endpoint": endpoint,
        "effects": act.effects(endpoint),
        "form": form if act.asks_why else None,
        "back": _page_of(endpoint),
    }
    return render_page(request, site, "jobs/endpoint_act.html", context)


def _do(act: EndpointAct, asked: Request) -> HttpResponse:
    try:
        answer = act.do(asked)
    except Refused as error:
        messages.error(asked.http, error.detail)
        answer = None
    return answer or HttpResponseRedirect(_page_of(asked.endpoint))


def _page_of(endpoint: Endpoint) -> str:
    return reverse("admin:endpoint-page", args=[endpoint.pk])


# --- what each does --------------------------------------------------------------------------------


def _try(asked: Request) -> None:
    outcome = operations.try_endpoint(asked.endpoint, actor=asked.actor)
    answered = f" (HTTP {outcome.status})" if outcome.status else ""
    if outcome.sent:
        messages.success(asked.http, f"The endpoint took the test message{answered}.")
    else:
        messages.error(asked.http, f"The test message did not arrive{answered}: {outcome.error}")


def _rotate(asked: Request) -> HttpResponse:
    secret = operations.rotate_secret(asked.endpoint, actor=asked.actor)
    return secret_page(asked.http, asked.site, asked.endpoint, secret)


def _disable(asked: Request) -> None:
    operations.disable_endpoint(asked.endpoint, actor=asked.actor, reason=asked.reason)
    messages.success(asked.http, "Disabled: nothing more is delivered to it.")


def _enable(asked: Request) -> None:
    operations.enable_endpoint(asked.endpoint, actor=asked.actor)
    messages.success(asked.http, "Enabled: events from now on are delivered to it.")


def _remove(asked: Request) -> HttpResponse:
    name = place(asked.endpoint)
    waiting = operations.remove_endpoint(asked.endpoint, actor=asked.actor, reason=asked.reason)
    lost = pluralize(waiting, "waiting delivery", "waiting deliveries")
    messages.success(asked.http, f"{name} is removed, and {lost} with it.")
    return HttpResponseRedirect(reverse("admin:jobs_endpoint_changelist"))


# --- what the page says before ---------------------------------------------------------------------


def _before_try(endpoint: Endpoint) -> list[tuple[str, str]]:
    signed = ", signed like an event" if endpoint.kind == EndpointKind.WEBHOOK else ""
    return [
        ("What is sent", f"One message of the type endpoint.test, now{signed}. It is no event, nothing is kept."),
        ("You see", "Whether the endpoint took it, and its answer."),
    ]


def _before_rotate(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [
        ("What happens", "A new secret is made and shown once."),
        ("The old one", "Signs beside the new one for one day, so that the receiver can change over without a gap."),
    ]


def _before_disable(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [
        ("Waiting", f"{_waiting(endpoint)} given up with the next pass; they can be delivered again later."),
        ("New events", "Are not kept for it: what happens while it is disabled, it is never told."),
        ("Undo", "Enable it."),
    ]


def _before_enable(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [
        ("What happens", "Events from now on are delivered to it."),
        ("Dead ones", "Stay dead until somebody delivers them again."),
    ]


def _before_remove(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [
        ("Lost", f"{_waiting(endpoint)} removed with it, and the history of what it was sent."),
        ("Undo", "Not possible."),
    ]


def _waiting(endpoint: Endpoint) -> str:
    count = up_to_a_thousand(endpoint.deliveries.waiting())
    return pluralize(count, "waiting delivery is", "waiting deliveries are")


ENDPOINT_ACTS: dict[str, EndpointAct] = {
    "test": EndpointAct("Send a test", _before_try, _try),
    "rotate": EndpointAct("Renew the secret", _before_rotate, _rotate),
    "disable": EndpointAct("Disable", _before_disable, _disable, asks_why=True, grave=True),
    "enable": EndpointAct("Enable", _before_enable, _enable),
    "remove": EndpointAct("Remove", _before_remove, _remove, asks_why=True, grave=True),
}
