"""The timeline of a job, newest first, in pages; outward events with their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch
from django.http import HttpRequest

from jobs.console.base import ids_in_query
from jobs.console.deliveries.delivery_queries import endpoint_name
from jobs.models import Delivery, Event, Job

EVENTS_LISTED = 50
PLACE = "events_before"


@dataclass(frozen=True, slots=True)
class EventDeliveries:
    """A delivery of an event, and the name of its endpoint."""

    delivery: Delivery
    endpoint_name: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of the timeline; an outward one with its deliveries."""

    event: Event
    deliveries: list[EventDeliveries]


def timeline_section(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Return the context of the section: one page of events, with deliveries if the account may see them."""
    before = next(iter(ids_in_query(request.GET, PLACE, most=1)), 0)
    events = Event.objects.filter(job=job, **({"pk__lt": before} if before else {})).select_related("phase")
    if request.user.has_perm("jobs.view_delivery"):
        deliveries = Delivery.objects.select_related("endpoint").order_by("pk")
        events = events.prefetch_related(Prefetch("deliveries", deliveries))
    rows = list(events.order_by("-id")[: EVENTS_LISTED + 1])
    shown = rows[:EVENTS_LISTED]
    return {
        "timeline": [TimelineEntry(event, _deliveries(request, event)) for event in shown],
        "timeline_older": _address(request, shown[-1].pk) if len(rows) > EVENTS_LISTED else "",
        "timeline_newest": _address(request, None) if before else "",
        "may_replay": request.user.has_perms(["jobs.view_delivery", "jobs.replay_event"]),
    }


def _deliveries(request: HttpRequest, event: Event) -> list[EventDeliveries]:
    if not request.user.has_perm("jobs.view_delivery"):
        return []
    return [EventDeliveries(each, endpoint_name(each.endpoint)) for each in event.deliveries.all()]


def _address(request: HttpRequest, before: int | None) -> str:
    """Return the address of another page of the timeline, with the filters of this page."""
    kept = {name: value for name, value in request.GET.items() if name != PLACE}
    return f"?{urlencode(kept | ({PLACE: str(before)} if before else {}))}#timeline"
