"""REST calls for channels of notifications."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypedDict

from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from jobs import operations
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.requests import Input
from jobs.api.schema import operation
from jobs.models import Channel
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.field_types import Label, Moment, Name, Project
from jobs.rules.limits import URL_LENGTH

TAG = "notifications"
CHANNEL = {"name": "night shift", "kind": "apprise", "address": "slack://token-a/token-b/token-c/#alerts"}

Address = Annotated[str, Meta(min_length=1, max_length=URL_LENGTH)]
Addresses = Annotated[list[Address], Meta(max_length=100)]


class ChannelInput(Input, frozen=True):
    """A channel: `address` is an Apprise address, `addresses` are mail addresses; give the one of its kind."""

    name: Name
    kind: Annotated[str, Meta(description="apprise or mail")]
    address: Address | None = None
    addresses: Addresses | None = None
    project: Project = ""


class ChannelChange(Input, frozen=True):
    """The fields to change. Fields that are left out stay."""

    name: Label | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    addresses: Addresses | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class ChannelBody(TypedDict):
    """A channel. `address` is masked; with `needs_address` it must be entered again."""

    id: int
    name: str
    project: str
    kind: str
    address: str
    needs_address: bool
    active: bool
    failures: int
    failing_since: Moment | None
    last_result: str
    last_tried_at: Moment | None
    created_at: Moment


class ChannelPage(TypedDict):
    """Every channel that is visible to the account; there is no further page."""

    results: list[ChannelBody]
    next: str | None


class ChannelRemoval(TypedDict):
    """The removal of a channel or a rule."""

    changed: int
    detail: str


class TestAnswer(TypedDict):
    """The answer of the service to a test message."""

    sent: bool
    answer: str


class ChannelBaseView(APIBaseView):
    """Base of the calls that need the permission to manage channels."""

    reads: ClassVar[str] = "manage_channels"
    writes: ClassVar[str] = "manage_channels"

    def channel(self, channel_id: int) -> Channel:
        """Return the channel; NotFound if it is missing or not visible to the account."""
        channel = Channel.objects.filter(pk=channel_id).first()
        if channel is None or not self.access.sees(channel.project):
            raise NotFound(f"There is no channel {channel_id}.")
        return channel


class Channels(ChannelBaseView):
    """Channels that messages about incidents go to."""

    @operation(id="listChannels", summary="List the channels", tag=TAG, answer=ChannelPage)
    def get(self, request: Request) -> HttpResponse:
        """List the channels of the account's projects, the newest first."""
        found = Channel.objects.all()
        if self.access.projects is not None:
            found = found.filter(project__in=self.access.projects)
        return json_response({"results": [channel_body(channel) for channel in found], "next": None})

    @operation(
        id="createChannel",
        summary="Add a channel",
        tag=TAG,
        answer=ChannelBody,
        status=201,
        errors=(409,),
        body=ChannelInput,
        send=CHANNEL,
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a channel. Its address is encrypted and never shown again; it needs a rule to get messages."""
        given = decode_body(request, ChannelInput)
        addresses = _addresses(given.address, given.addresses)
        channel = operations.add_channel(
            name=given.name,
            kind=given.kind,
            addresses=addresses or [],
            project=given.project,
            actor=self.account,
        )
        return json_response(channel_body(channel), status=201)


class ChannelDetail(ChannelBaseView):
    """One channel."""

    @operation(id="getChannel", summary="Show a channel", tag=TAG, answer=ChannelBody, errors=(404,))
    def get(self, request: Request, channel_id: int) -> HttpResponse:
        """Show a channel with its latest result."""
        return json_response(channel_body(self.channel(channel_id)))

    @operation(
        id="updateChannel",
        summary="Change a channel",
        tag=TAG,
        answer=ChannelBody,
        errors=(404, 409),
        body=ChannelChange,
        send={"active": False},
    )
    def patch(self, request: Request, channel_id: int) -> HttpResponse:
        """Change the given fields. A new address gets the messages that wait at once."""
        channel = self.channel(channel_id)
        given = decode_body(request, ChannelChange)
        changed = operations.change_channel(
            channel,
            name=_or_none(given.name),
            addresses=_addresses(_or_none(given.address), _or_none(given.addresses)),
            active=_or_none(given.active),
            actor=self.account,
        )
        return json_response(channel_body(changed))

    @operation(id="deleteChannel", summary="Remove a channel", tag=TAG, answer=ChannelRemoval, errors=(404,))
    def delete(self, request: Request, channel_id: int) -> HttpResponse:
        """Remove a channel with its rules and its log."""
        waiting = operations.remove_channel(self.channel(channel_id), actor=self.account)
        return json_response({"changed": 1, "detail": f"Removed with {waiting} waiting messages."})


class ChannelTest(ChannelBaseView):
    """Test of a channel."""

    @operation(id="testChannel", summary="Send a test message", tag=TAG, answer=TestAnswer, errors=(404,))
    def post(self, request: Request, channel_id: int) -> HttpResponse:
        """Send one message now, and return the answer of the service."""
        answer = operations.try_channel(self.channel(channel_id), actor=self.account)
        return json_response({"sent": answer.sent, "answer": answer.text})


def channel_body(channel: Channel) -> ChannelBody:
    """Return a channel without its address."""
    return {
        "id": channel.pk,
        "name": channel.name,
        "project": channel.project,
        "kind": channel.kind,
        "address": channel.masked,
        "needs_address": operations.needs_address(channel),
        "active": channel.active,
        "failures": channel.failures,
        "failing_since": channel.failing_since,
        "last_result": channel.last_result,
        "last_tried_at": channel.last_tried_at,
        "created_at": channel.created_at,
    }


def _addresses(address: str | None, addresses: list[str] | None) -> list[str] | None:
    if address is not None and addresses is not None:
        raise BadInput({"addresses": "Give address or addresses, not both."})
    return [address] if address is not None else addresses


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value
