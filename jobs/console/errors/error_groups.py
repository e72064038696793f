"""Failures that are alike, as the pages show them: what they say, what varies, whom they concern, how to retry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpRequest

from jobs.models import Phase
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number
from jobs.serializers import ErrorGroup, error_groups

GROUPS_LISTED = 10
WORKERS_LISTED = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where failures of a group are: a phase or a job, and the list of exactly those items."""

    name: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """One group, and the button that retries it."""

    group: ErrorGroup
    offer: ActButton
    places: Sequence[Place]

    @property
    def pattern(self) -> str:
        """What its errors have in common, where they differ; else empty."""
        several = self.group["count"] > 1 and self.group["signature"] != self.group["sample"]
        return self.group["signature"] if several else ""

    @property
    def workers(self) -> list[str]:
        """The workers with the most of them."""
        return self.group["workers"][:WORKERS_LISTED]

    @property
    def more_workers(self) -> int:
        """How many more there are."""
        return self.group["worker_count"] - len(self.workers)


@dataclass(frozen=True, slots=True)
class FailureGroups:
    """What has failed in a job, the most frequent error first; `others` items have errors that are not among them."""

    groups: list[FailureGroup]
    count: int

    @property
    def others(self) -> int:
        """How many failures are in none of the groups."""
        return max(0, self.count - sum(alike.group["count"] for alike in self.groups))


def error_groups_in(figures: JobSnapshot, request: HttpRequest) -> FailureGroups:
    """The failures of a job in groups, for its page."""
    count = sum(phase.failed for phase in figures.phases if not phase.counted)
    groups = error_groups(figures.job, most=GROUPS_LISTED) if count else []
    return FailureGroups([_alike(group, figures, request) for group in groups], count)


def _alike(group: ErrorGroup, figures: JobSnapshot, request: HttpRequest) -> FailureGroup:
    button = act_button("retry", figures, request.user, signature=group["signature"])
    label = f"Retry these {format_number(group['count'])}…" if group["count"] > 1 else "Retry this one…"
    return FailureGroup(group, replace(button, label=label), _places(group, figures.phases))


def _places(group: ErrorGroup, phases: Sequence[Phase]) -> list[Place]:
    labels = {phase.code: phase.label for phase in phases}
    return [
        Place(labels.get(at["phase"], at["phase"]), at["count"], items_of(group, phase=at["phase"]))
        for at in group["phases"]
    ]


def items_of(group: ErrorGroup, *, phase: str) -> str:
    """The list of the failed items of a group, on the page of a job."""
    return f"?{urlencode({'phase': phase, 'signature': group['signature']})}#items"
