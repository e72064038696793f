"""REST calls for the rules of channels: which incidents a channel gets, and when."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, TypedDict

import msgspec
from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from jobs import operations
from jobs.api.base import json_response
from jobs.api.channels import TAG, ChannelBaseView, ChannelRemoval
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.requests import Input
from jobs.api.schema import operation
from jobs.models import NotificationRule
from jobs.rules.errors import NotFound
from jobs.rules.field_types import AnyCode, Moment, Number, Project
from jobs.rules.limits import LONGEST_SECONDS, NAME_LENGTH

RULE = {
    "channel": 7,
    "kinds": ["job_stuck", "job_failed"],
    "minimum_age": 300,
    "quiet_from": "22:00",
    "quiet_to": "06:00",
    "timezone": "Europe/Berlin",
    "reminder_interval": 3600,
}

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
Texts = Annotated[list[Project], Meta(max_length=200)]
Codes = Annotated[list[AnyCode], Meta(max_length=200)]
Duration = Annotated[int, Meta(ge=0, le=LONGEST_SECONDS)]
Series = Annotated[str, Meta(max_length=NAME_LENGTH)]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]


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

    def rule(self, rule_id: int) -> NotificationRule:
        """Return the rule with its channel; NotFound if it is missing or not visible to the account."""
        rule = NotificationRule.objects.select_related("channel").filter(pk=rule_id).first()
        if rule is None or not self.access.sees(rule.channel.project):
            raise NotFound(f"There is no rule {rule_id}.")
        return rule

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


def _given(fields: RuleFields) -> dict[str, Any]:
    """Return the given fields of a rule, with times of the clock."""
    names = [field.name for field in msgspec.structs.fields(RuleFields)]
    found = {name: getattr(fields, name) for name in names if getattr(fields, name) is not UNSET}
    clocks = {name: time.fromisoformat(found[name]) for name in ("quiet_from", "quiet_to") if found.get(name)}
    return {**found, **clocks}
