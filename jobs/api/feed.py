"""The feed of outward events, for consumers that fetch instead of being called."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.api.answers import EventPage
from jobs.api.doors import Door, answer
from jobs.api.queries import EventQuery
from jobs.decoding import query
from jobs.models import Event
from jobs.models.events import EventQuerySet
from jobs.schema import operation
from jobs.serializers import outward_event


class Events(Door):
    """What is promised to others, in order."""

    @operation(summary="Read the outward events", tag="events", answer=EventPage, errors=(400,), query=EventQuery)
    def get(self, request: Request) -> HttpResponse:
        """Outward events with ids larger than `after`, ascending; none is ever missed.

        `next` is the address of what follows, null where nothing does yet; then ask again later
        with `after` as the last id that was read.
        """
        wanted = query(request, EventQuery)
        found = list(self._chosen(wanted)[: wanted.limit + 1])
        events = found[: wanted.limit]
        following = _after(request, events[-1].pk) if len(found) > len(events) else None
        return answer({"results": [outward_event(event) for event in events], "next": following})

    def _chosen(self, wanted: EventQuery) -> EventQuerySet:
        events = Event.objects.outward().filter(pk__gt=wanted.after).select_related("job", "phase").order_by("pk")
        if self.access.projects is not None:
            events = events.filter(job__project__in=self.access.projects)
        if wanted.job is not None:
            events = events.filter(job=wanted.job)
        return events.filter(type=wanted.type) if wanted.type else events


def _after(request: Request, last: int) -> str:
    parameters = request.query_params.copy()
    parameters["after"] = str(last)
    return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")
