"""REST calls of the outbox: endpoints, and replays of events."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypedDict

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from jobs import operations
from jobs.api.acts import ACT, REASON, ActView, act_response
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.requests import Input
from jobs.api.responses import RefusedRow
from jobs.api.schema import operation
from jobs.models import Endpoint, Event
from jobs.models.outbox import EndpointFormat, EndpointKind
from jobs.operations.arguments import ActInput
from jobs.rules.errors import NotFound
from jobs.rules.field_types import Label, Moment, Project
from jobs.rules.limits import MOST_TYPES, SECRET_LENGTH, URL_LENGTH

TAG = "events"
EXAMPLE = {"url": "https://matcher.example.com/events", "types": ["*.completed"], "project": "matter-789"}


class EndpointInput(Input, frozen=True):
    """A webhook, or the broker where `url` is `amqp`; without `secret` the server creates one.

    The `format` cloudevents sends each event as a CloudEvent in structured mode.
    """

    url: Annotated[str, Meta(min_length=1, max_length=URL_LENGTH)]
    types: Annotated[list[str], Meta(max_length=MOST_TYPES)] | None = None
    project: Project = ""
    name: Label = ""
    secret: Annotated[str, Meta(max_length=SECRET_LENGTH)] = ""
    format: EndpointFormat = EndpointFormat.JSON


class EndpointBody(TypedDict):
    """An endpoint, without its secret."""

    id: int
    name: str
    kind: EndpointKind
    format: EndpointFormat
    url: str
    types: list[str]
    project: str
    active: bool
    disabled_reason: str
    created_at: Moment


class NewEndpointBody(EndpointBody):
    """A new endpoint with its secret, which is shown only here."""

    secret: str


class EndpointPage(TypedDict):
    """Every endpoint that is visible to the account; there is no further page."""

    results: list[EndpointBody]
    next: str | None


class RemovalAnswer(TypedDict):
    """The removal of an endpoint; `detail` has the number of deliveries that were removed with it."""

    changed: int
    refused: list[RefusedRow]
    detail: str


class EndpointBaseView(APIBaseView):
    """Base of the calls that need the permission to manage endpoints."""

    reads: ClassVar[str] = "manage_endpoints"
    writes: ClassVar[str] = "manage_endpoints"


class Endpoints(EndpointBaseView):
    """Endpoints that outward events are sent to."""

    @operation(id="listEndpoints", summary="List the endpoints", tag=TAG, answer=EndpointPage)
    def get(self, request: Request) -> HttpResponse:
        """List the endpoints of the account's projects, the newest first."""
        found = Endpoint.objects.all()
        if self.access.projects is not None:
            found = found.filter(project__in=self.access.projects)
        return json_response({"results": [endpoint_body(endpoint) for endpoint in found], "next": None})

    @operation(
        id="createEndpoint",
        summary="Add an endpoint",
        tag=TAG,
        answer=NewEndpointBody,
        status=201,
        errors=(409,),
        body=EndpointInput,
        send=EXAMPLE,
    )
    def post(self, request: Request) -> HttpResponse:
        """Create an endpoint. New outward events are sent to its webhook, or with the url `amqp` to the broker."""
        given = decode_body(request, EndpointInput)
        added = operations.add_endpoint(
            url=given.url,
            types=given.types,
            project=given.project,
            name=given.name,
            secret=given.secret,
            format=given.format,
            actor=self.account,
        )
        return json_response({**endpoint_body(added.endpoint), "secret": added.secret}, status=201)


class EndpointDetail(EndpointBaseView):
    """One endpoint."""

    @operation(id="deleteEndpoint", summary="Remove an endpoint", tag=TAG, answer=RemovalAnswer, errors=(404,))
    def delete(self, request: Request, endpoint_id: int) -> HttpResponse:
        """Remove the endpoint with its deliveries."""
        endpoint = Endpoint.objects.filter(pk=endpoint_id).first()
        if endpoint is None or not self.access.sees(endpoint.project):
            raise NotFound(f"There is no endpoint {endpoint_id}.")
        waiting = operations.remove_endpoint(endpoint, actor=self.account)
        return json_response({"changed": 1, "refused": [], "detail": f"Removed with {waiting} waiting deliveries."})


class Replay(ActView):
    """Replay of an event."""

    writes: ClassVar[str] = "replay_event"

    @operation(id="replayEvent", **ACT, summary="Replay an event", body=ActInput, send=REASON)
    def post(self, request: Request, event_id: int) -> HttpResponse:
        """Send the event again to every endpoint that it was for, under the same event_id."""
        event = Event.objects.select_related("job").filter(pk=event_id).first()
        if event is None or not self.access.sees(event.job.project):
            raise NotFound(f"There is no event {event_id}.")
        given = decode_body(request, ActInput)
        return act_response(operations.replay(event, reason=given.reason, actor=self.account))


def endpoint_body(endpoint: Endpoint) -> EndpointBody:
    """Return an endpoint without its secrets."""
    return {
        "id": endpoint.pk,
        "name": endpoint.name,
        "kind": EndpointKind(endpoint.kind),
        "format": EndpointFormat(endpoint.format),
        "url": endpoint.url,
        "types": endpoint.types,
        "project": endpoint.project,
        "active": endpoint.active,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": endpoint.created_at,
    }
