"""Groups of failed items with the same error signature, as the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpRequest

from jobs.console.items.attempts import sample_logs
from jobs.models import Phase
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.diagnosis.causes import retrying_text
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number
from jobs.serializers import ErrorGroup, error_groups

GROUPS_LISTED = 10
WORKERS_LISTED = 5


@dataclass(frozen=True, slots=True)
class GroupLocation:
    """A phase or job with failures of a group, and the list of exactly these items."""

    name: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class ErrorGroupRow:
    """One group, its retry button, and the phases or jobs with its failures."""

    group: ErrorGroup
    button: ActButton
    locations: Sequence[GroupLocation]
    log: int | None = None  # the attempt whose log is a sample

    @property
    def pattern(self) -> str:
        """The signature, if the error texts of the group differ; else empty."""
        several = self.group["count"] > 1 and self.group["signature"] != self.group["sample"]
        return self.group["signature"] if several else ""

    @property
    def workers(self) -> list[str]:
        """The workers with the most failures of this group."""
        return self.group["workers"][:WORKERS_LISTED]

    @property
    def more_workers(self) -> int:
        """Number of further workers."""
        return self.group["worker_count"] - len(self.workers)


@dataclass(frozen=True, slots=True)
class ErrorGroupRows:
    """The failures of a job in groups, the most frequent error first; `count` is the number of all failed items.

    `retrying` says how many more items failed and are retried by themselves.
    """

    groups: list[ErrorGroupRow]
    count: int
    retrying: str = ""

    @property
    def others(self) -> int:
        """Number of failed items whose error is in none of the listed groups."""
        return max(0, self.count - sum(row.group["count"] for row in self.groups))


def error_groups_in(snapshot: JobSnapshot, request: HttpRequest) -> ErrorGroupRows:
    """Return the failures of a job in groups, for its page."""
    count = sum(phase.failed for phase in snapshot.phases if not phase.counted)
    groups = error_groups(snapshot.job, most=GROUPS_LISTED) if count else []
    logs = sample_logs(group["item"] for group in groups)
    rows = [replace(_row(group, snapshot, request), log=logs.get(group["item"] or 0)) for group in groups]
    return ErrorGroupRows(rows, count, retrying_text(snapshot.phases, now=snapshot.now))


def _row(group: ErrorGroup, snapshot: JobSnapshot, request: HttpRequest) -> ErrorGroupRow:
    button = act_button("retry", snapshot, request.user, signature=group["signature"])
    label = f"Retry these {format_number(group['count'])}…" if group["count"] > 1 else "Retry this one…"
    return ErrorGroupRow(group, replace(button, label=label), _locations(group, snapshot.phases))


def _locations(group: ErrorGroup, phases: Sequence[Phase]) -> list[GroupLocation]:
    labels = {phase.code: phase.label for phase in phases}
    return [
        GroupLocation(labels.get(at["phase"], at["phase"]), at["count"], items_url(group, phase=at["phase"]))
        for at in group["phases"]
    ]


def items_url(group: ErrorGroup, *, phase: str) -> str:
    """Return the address of the group's failed items within a job page."""
    return f"?{urlencode({'phase': phase, 'signature': group['signature']})}#items"
