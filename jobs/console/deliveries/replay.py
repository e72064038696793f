"""The page that asks before events are delivered again, and the replay itself."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.base import back_url, forbidden_page, not_found_page, numbers, render_page
from jobs.console.deliveries.delivery_queries import place, visible_deliveries
from jobs.console.forms import ReasonForm
from jobs.models import Delivery
from jobs.models.outbox import DeliveryQuerySet
from jobs.operations import Act
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

MOST_AT_ONCE = 100
NEEDED = "To deliver events again an account needs jobs.view_delivery and jobs.replay_event (role lead)."
NOTHING = "There is no such delivery in your sight. An event that was for no endpoint has none."
CHANGED = "Something was sent or given up since you looked. This is how it stands now; look again and confirm."


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery as the page shows it."""

    delivery: Delivery
    place: str
    why_not: str


def confirm_replay(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask, and on a confirmed form do it.

    `?event=7` is about all of an event, `?delivery=1&delivery=2` about some, `?endpoint=3` about what was given up
    for an endpoint, the newest hundred at once.
    """
    visible = visible_deliveries(request)
    if visible is None or not request.user.has_perm("jobs.replay_event"):
        return forbidden_page(request, site, NEEDED)
    events = numbers(request.GET, "event", most=1)
    deliveries = _chosen(request, visible, events=events)
    if not deliveries:
        return not_found_page(request, site, NOTHING)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if request.POST.get("seen") == _seen(deliveries):
            return _replay(request, deliveries, reason=form.cleaned_data["reason"], whole=bool(events))
        messages.warning(request, CHANGED)
    return _ask(request, site, deliveries, form)


def _chosen(request: HttpRequest, visible: DeliveryQuerySet, *, events: list[int]) -> list[Delivery]:
    """What the address asks for, in the order of the events, as one of them may depend on those before it."""
    rows = visible.select_related("endpoint", "event__job")
    ids = numbers(request.GET, "delivery", most=MOST_AT_ONCE)
    if events or ids or "endpoint" not in request.GET:
        chosen = {"event__in": events} if events else {"pk__in": ids}
        return list(rows.filter(**chosen).order_by("event_id", "pk")[:MOST_AT_ONCE])
    dead = rows.dead().filter(endpoint__in=numbers(request.GET, "endpoint", most=1)).order_by("-id")
    return sorted(dead[:MOST_AT_ONCE], key=lambda each: (each.event_id, each.pk))


def _ask(request: HttpRequest, site: AdminSite, deliveries: list[Delivery], form: ReasonForm) -> HttpResponse:
    rows = [Row(each, place(each.endpoint), _why_not(each)) for each in deliveries]
    possible = sum(1 for row in rows if not row.why_not)
    context = {
        "title": f"Deliver again: {pluralize(len(rows), 'delivery', 'deliveries')}",
        "rows": rows,
        "possible": possible,
        "button": f"Deliver {pluralize(possible, 'delivery', 'deliveries')} again",
        "seen": _seen(deliveries),
        "form": form,
        "back": _back(request),
    }
    return render_page(request, site, "jobs/replay.html", context)


def _why_not(delivery: Delivery) -> str:
    return "" if delivery.endpoint.active else "The endpoint is disabled."


def _seen(deliveries: list[Delivery]) -> str:
    return ",".join(f"{each.pk}:{each.status}" for each in deliveries)


def _back(request: HttpRequest) -> str:
    return back_url(request, otherwise=reverse("admin:jobs_delivery_changelist"))


def _replay(request: HttpRequest, deliveries: list[Delivery], *, reason: str, whole: bool) -> HttpResponse:
    """One act for a whole event, else one for each delivery."""
    done: list[Act] = []
    for each in deliveries[:1] if whole else deliveries:
        try:
            done.append(_replay_one(request, each, reason=reason, whole=whole))
        except Refused as error:
            messages.error(request, f"{each.event.type} of {each.event.job.name}: {error.detail}")
    changed, refused = sum(act.changed for act in done), sum(len(act.refused) for act in done)
    left = f" {pluralize(refused, 'delivery', 'deliveries')} left: the endpoint is disabled." if refused else ""
    level = messages.SUCCESS if changed else messages.WARNING
    said = f"{pluralize(changed, 'delivery waits', 'deliveries wait')} to be sent again, under the same event id.{left}"
    messages.add_message(request, level, said)
    return HttpResponseRedirect(_back(request))


def _replay_one(request: HttpRequest, delivery: Delivery, *, reason: str, whole: bool) -> Act:
    assert isinstance(request.user, User)
    endpoint = None if whole else delivery.endpoint
    return operations.replay(delivery.event, endpoint=endpoint, actor=request.user, reason=reason)
