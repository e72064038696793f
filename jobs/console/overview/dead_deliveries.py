"""Attention rows of endpoints with dead deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from jobs.console.deliveries.delivery_queries import MOST_COUNTED, DeadGroup, endpoint_name
from jobs.console.deliveries.replay import MOST_AT_ONCE
from jobs.models import Delivery
from jobs.rules.formatting import format_number

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

WHY_NOT = "Needs the permission “Can deliver outward events again”. Ask an administrator for a role that has it."
DISABLED = "The endpoint is disabled: {}"


@dataclass(frozen=True, slots=True)
class DeadDelivery:
    """Dead deliveries of one endpoint: their number, the newest one, and the replay button."""

    count: str
    plural: bool
    endpoint_name: str
    newest: Delivery
    list_url: str
    url: str
    label: str
    why_not: str


def dead_deliveries(dead_by_endpoint: Sequence[DeadGroup], user: User | AnonymousUser) -> list[DeadDelivery]:
    """Return one row per endpoint, the one with the most dead deliveries first."""
    may = user.has_perm("jobs.replay_event")
    return [_row(each, may=may) for each in dead_by_endpoint]


def _row(each: DeadGroup, *, may: bool) -> DeadDelivery:
    at_once = min(each.count, MOST_AT_ONCE)
    return DeadDelivery(
        count=f"{MOST_COUNTED - 1}+" if each.count == MOST_COUNTED else format_number(each.count),
        plural=each.count > 1,
        endpoint_name=endpoint_name(each.endpoint),
        newest=each.newest,
        list_url=f"{reverse('admin:jobs_delivery_changelist')}?status=dead&endpoint={each.endpoint.pk}",
        url=f"{reverse('admin:replay')}?endpoint={each.endpoint.pk}",
        label=f"Replay {format_number(at_once)}…"
        if at_once == each.count
        else f"Replay the newest {format_number(at_once)}…",
        why_not=_why_not(each, may=may),
    )


def _why_not(each: DeadGroup, *, may: bool) -> str:
    if not may:
        return WHY_NOT
    return "" if each.endpoint.active else DISABLED.format(each.endpoint.disabled_reason or "enable it first.")
