"""REST calls for channels of notifications and their rules."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, ClassVar, TypedDict

import msgspec
from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from jobs import operations
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.requests import Input
from jobs.api.schema import operation
from jobs.models import Channel, NotificationRule
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.field_types import AnyCode, Label, Moment, Name, Number, Project
from jobs.rules.limits import LONGEST_SECONDS, NAME_LENGTH, URL_LENGTH

TAG = "notifications"
CHANNEL = {"name": "night shift", "kind": "apprise", "address": "slack://token-a/token-b/token-c/#alerts"}
RULE = {
    "channel": 7,
    "kinds": ["job_stuck", "job_failed"],
    "minimum_age": 300,
    "quiet_from": "22:00",
    "quiet_to": "06:00",
    "timezone": "Europe/Berlin",
    "reminder_interval": 3600,
}

Address = Annotated[str, Meta(min_length=1, max_length=URL_LENGTH)]
Addresses = Annotated[list[Address], Meta(max_length=100)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
Texts = Annotated[list[Project], Meta(max_length=200)]
Codes = Annotated[list[AnyCode], Meta(max_length=200)]
Duration = Annotated[int, Meta(ge=0, le=LONGEST_SECONDS)]
Series = Annotated[str, Meta(max_length=NAME_LENGTH)]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]


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


class RuleFields(Input, frozen=True, kw_only=True):
    """The fields of a rule. Empty lists and texts mean all; times are of the clock in the time zone."""

    kinds: Codes | UnsetType = UNSET
    projects: Texts | UnsetType = UNSET
    job_kinds: Codes | UnsetType = UNSET
    series: Series | UnsetType = UNSET
    minimum_age: Duration | UnsetType = UNSET
    quiet_from: Clock | UnsetType | None = UNSET
    quiet_to: Clock | UnsetType | None = UNSET
    timezone: Zone | UnsetType = UNSET
    reminder_interval: Duration | UnsetType = UNSET


class RuleInput(RuleFields, frozen=True, kw_only=True):
    """A rule of a channel. Without further fields it sends every incident at once."""

    channel: Number


class RuleQuery(Input, frozen=True):
    """The rules of one channel."""

    channel: Number | None = None


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


class RuleBody(TypedDict):
    """A rule of a channel."""

    id: int
    channel: int
    kinds: list[str]
    projects: list[str]
    job_kinds: list[str]
    series: str
    minimum_age: int
    quiet_from: str | None
    quiet_to: str | None
    timezone: str
    reminder_interval: int
    created_at: Moment


class RulePage(TypedDict):
    """Every rule of the channels that are visible to the account; there is no further page."""

    results: list[RuleBody]
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

    def rule(self, rule_id: int) -> NotificationRule:
        """Return the rule with its channel; NotFound if it is missing or not visible to the account."""
        rule = NotificationRule.objects.select_related("channel").filter(pk=rule_id).first()
        if rule is None or not self.access.sees(rule.channel.project):
            raise NotFound(f"There is no rule {rule_id}.")
        return rule


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


class NotificationRules(ChannelBaseView):
    """Rules that send incidents to channels."""

    @operation(
        id="listNotificationRules",
        summary="List the notification rules",
        tag=TAG,
        answer=RulePage,
        query=RuleQuery,
        errors=(400,),
    )
    def get(self, request: Request) -> HttpResponse:
        """List the rules, the oldest first."""
        query = decode_query(request, RuleQuery)
        found = NotificationRule.objects.all()
        if self.access.projects is not None:
            found = found.filter(channel__project__in=self.access.projects)
        if query.channel is not None:
            found = found.filter(channel=query.channel)
        return json_response({"results": [rule_body(rule) for rule in found], "next": None})

    @operation(
        id="createNotificationRule",
        summary="Add a notification rule",
        tag=TAG,
        answer=RuleBody,
        status=201,
        errors=(404,),
        body=RuleInput,
        send=RULE,
    )
    def post(self, request: Request) -> HttpResponse:
        """Send the incidents that match all fields of the rule to its channel."""
        given = decode_body(request, RuleInput)
        channel = self.channel(given.channel)
        rule = operations.add_rule(channel, **_given(given), actor=self.account)
        return json_response(rule_body(rule), status=201)


class NotificationRuleDetail(ChannelBaseView):
    """One rule."""

    @operation(
        id="updateNotificationRule",
        summary="Change a notification rule",
        tag=TAG,
        answer=RuleBody,
        errors=(404,),
        body=RuleFields,
        send={"minimum_age": 600},
    )
    def patch(self, request: Request, rule_id: int) -> HttpResponse:
        """Change the given fields; messages that wait follow the changed rule."""
        rule = self.rule(rule_id)
        given = decode_body(request, RuleFields)
        return json_response(rule_body(operations.change_rule(rule, **_given(given), actor=self.account)))

    @operation(
        id="deleteNotificationRule", summary="Remove a notification rule", tag=TAG, answer=ChannelRemoval, errors=(404,)
    )
    def delete(self, request: Request, rule_id: int) -> HttpResponse:
        """Remove the rule."""
        operations.remove_rule(self.rule(rule_id), actor=self.account)
        return json_response({"changed": 1, "detail": "Removed."})


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


def rule_body(rule: NotificationRule) -> RuleBody:
    """Return a rule."""
    return {
        "id": rule.pk,
        "channel": rule.channel_id,
        "kinds": rule.kinds,
        "projects": rule.projects,
        "job_kinds": rule.job_kinds,
        "series": rule.series,
        "minimum_age": rule.minimum_age,
        "quiet_from": f"{rule.quiet_from:%H:%M}" if rule.quiet_from else None,
        "quiet_to": f"{rule.quiet_to:%H:%M}" if rule.quiet_to else None,
        "timezone": rule.timezone,
        "reminder_interval": rule.reminder_interval,
        "created_at": rule.created_at,
    }


def _addresses(address: str | None, addresses: list[str] | None) -> list[str] | None:
    if address is not None and addresses is not None:
        raise BadInput({"addresses": "Give address or addresses, not both."})
    return [address] if address is not None else addresses


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value


def _given(fields: RuleFields) -> dict[str, Any]:
    """Return the given fields of a rule, with times of the clock."""
    names = [field.name for field in msgspec.structs.fields(RuleFields)]
    found = {name: getattr(fields, name) for name in names if getattr(fields, name) is not UNSET}
    clocks = {name: time.fromisoformat(found[name]) for name in ("quiet_from", "quiet_to") if found.get(name)}
    return {**found, **clocks}
