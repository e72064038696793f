"""Feed of outward events, for consumers that fetch events instead of receiving webhooks."""

from __future__ import annotations

from functools import partial

from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from jobs.access import Access
from jobs.api.base import APIBaseView, json_response
from jobs.api.query_params import EventQuery
from jobs.api.request_decoding import decode_query
from jobs.api.responses import EventPage
from jobs.api.schema import operation
from jobs.api.streams import LIMITS, LISTENER, StreamRenderer, last_event_id, streamed
from jobs.live.authorization import Grant, WatchRequest
from jobs.live.connections import Connection
from jobs.live.principals import Principal
from jobs.live.sse import MEDIA_TYPE, follow
from jobs.live.topics import Topic
from jobs.models import Event
from jobs.models.events import EventQuerySet
from jobs.serializers import outward_event
from jobs.serializers.shapes import OutwardEvent


class Events(APIBaseView):
    """Outward events in order."""

    renderer_classes = [JSONRenderer, StreamRenderer]

    @operation(
        id="listEvents",
        summary="Read the outward events",
        tag="events",
        answer=EventPage,
        errors=(400,),
        query=EventQuery,
        stream=MEDIA_TYPE,
        takes=LISTENER,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return outward events with ids larger than `after`, ascending; none is ever missed.

        `next` is the address of the next page, null at the end of the feed; then ask again later
        with `after` as the last id that was read. With `Accept: text/event-stream` the answer does not end: each
        event comes as a server-sent event within a second, its `id` for `Last-Event-ID`.
        """
        wanted = decode_query(request, EventQuery)
        if request.accepted_renderer.format == StreamRenderer.format:
            return self._followed(request, wanted)
        found = list(_chosen(wanted, self.access, after=wanted.after)[: wanted.limit + 1])
        events = found[: wanted.limit]
        following = _after(request, events[-1].pk) if len(found) > len(events) else None
        return json_response({"results": [outward_event(event) for event in events], "next": following})

    def _followed(self, request: Request, wanted: EventQuery) -> HttpResponseBase:
        seen = last_event_id(request)
        after = wanted.after if seen is None else seen
        grant = Grant(self.account.pk, self.access, Topic(projects=self.access.projects))
        watch = WatchRequest(Principal.of(request))
        return streamed(
            request,
            lambda: follow(partial(_page, wanted), after=after, connection=Connection(watch, grant), limits=LIMITS),
        )


def _page(wanted: EventQuery, after: int, access: Access) -> list[OutwardEvent]:
    """Return the next events after this id that the account may see now."""
    return [outward_event(event) for event in _chosen(wanted, access, after=after)[: wanted.limit]]


def _chosen(wanted: EventQuery, access: Access, *, after: int) -> EventQuerySet:
    events = Event.objects.outward().in_feed().filter(pk__gt=after).select_related("job", "phase").order_by("pk")
    if access.projects is not None:
        events = events.filter(job__project__in=access.projects)
    if wanted.job is not None:
        events = events.filter(job=wanted.job)
    return events.filter(type=wanted.type) if wanted.type else events


def _after(request: Request, last: int) -> str:
    parameters = request.query_params.copy()
    parameters["after"] = str(last)
    return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")
