"""The arguments and answers of workers' calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from jobs.models import Job, Phase
from jobs.rules.errors import BadInput
from jobs.rules.field_types import (
    Blob,
    Key,
    Label,
    Moment,
    Number,
    PriorityNumber,
    Retries,
    RetryAfter,
    RetryDelay,
    Seconds,
    Split,
)
from jobs.rules.limits import MOST_LINKS, NAME_LENGTH, URL_LENGTH
from jobs.rules.statuses import ItemStatus, Outcome, Reason

RETRIES = ("retries", "retry_delay", "retry_delay_max")


class NewItem(Struct, frozen=True, gc=False):
    """An item to add; `key` is unique within its phase."""

    key: Key
    label: Label = ""
    split: Split = ""
    payload: Blob = {}


class Link(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """A link of an attempt: to an artifact, or to a page of logs. `url` is an http or https address."""

    label: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)]
    url: Annotated[str, Meta(min_length=1, max_length=URL_LENGTH)]


class Result(Struct, frozen=True, gc=False):
    """The result of an item; the status `pending` gives the item back.

    `attempt` is that of the claim; without one there is no fence. A `checksum` in `result` tells two completions of
    the same item apart. A failure with `retry` False is final, and `retry_after` (seconds) replaces the delay of its
    automatic retry. `log` and `links` are kept in the history of the item.
    """

    key: Key
    status: ItemStatus
    attempt: Number | None = None
    error: str = ""
    result: Blob = {}
    retry: bool | None = None
    retry_after: RetryAfter | None = None
    log: str = ""
    links: Annotated[tuple[Link, ...], Meta(max_length=MOST_LINKS)] = ()


class Deadlines(Struct, frozen=True):
    """The due time of a new job, or its seconds from the start, and the seconds after which it is silent or stalled."""

    due_at: Moment | None = None
    expected_seconds: Seconds | None = None
    silent_after: Seconds | None = None
    stalled_after: Seconds | None = None

    def check(self) -> None:
        """Refuse two due times, and a time that does not exist in every time zone."""
        check_due(self.due_at, self.expected_seconds)


class JobOptions(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, gc=False):
    """Options of a new job of every kind: its automatic retries, its due time and its priority.

    It is late when it is unfinished at `due_at`, or `expected_seconds` after its start; give at most one of them.
    """

    retries: Retries | None = None
    retry_delay: RetryDelay | None = None
    retry_delay_max: RetryDelay | None = None
    due_at: Moment | None = None
    expected_seconds: Seconds | None = None
    silent_after: Seconds | None = None
    stalled_after: Seconds | None = None
    priority: PriorityNumber = 0

    def options(self) -> dict[str, Any]:
        """Return the options as arguments of `create_job`."""
        deadlines = Deadlines(*(getattr(self, name) for name in Deadlines.__struct_fields__))
        return {**{name: getattr(self, name) for name in RETRIES}, "priority": self.priority, "deadlines": deadlines}


def check_due(due_at: datetime | None, expected_seconds: int | None) -> None:
    """Refuse two due times, and a time that does not exist in every time zone."""
    if due_at is not None and expected_seconds is not None:
        raise BadInput(dict.fromkeys(("due_at", "expected_seconds"), "Give either a due time or the expected seconds."))
    if due_at is not None and not MINYEAR < due_at.year < MAXYEAR:
        raise BadInput({"due_at": "Enter a time such as 2026-11-21T09:00:00Z."})


@dataclass(frozen=True, slots=True)
class Created:
    """A job, and whether it is new."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class Added:
    """The numbers of new keys, and of keys that existed already (or came twice)."""

    added: int
    existing: int


@dataclass(frozen=True, slots=True)
class Announced:
    """The answer to an announcement: whether the total was applied; if not, why."""

    applied: bool
    reason: Literal["duplicate", "same_total", "closed"] | None
    phase: Phase


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An item that is leased to the worker until `lease_expires_at`; `attempt` is its fence.

    `failures` were reported before, the latest with `last_error`.
    """

    id: int
    key: str
    label: str
    split: str
    payload: dict[str, Any]
    attempt: int
    lease_expires_at: datetime
    job: int
    phase: str
    failures: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The items of a claim, or the reason why there are none; where a wait helps, the time of its end.

    With the reason `limit`, `limit_of` and `detail` say which one is reached.
    """

    items: list[ClaimedItem]
    reason: Reason | None = None
    retry_at: datetime | None = None
    detail: str = ""
    limit_of: Literal["phase", "project"] | None = None


class ResultOutcome(Struct, frozen=True, gc=False, omit_defaults=True):
    """The answer to one result; `status` is the item's status now (empty where there is no item).

    It is encoded as it is: a body has no `detail` and no `available_at` where they are empty.
    """

    key: str
    outcome: Outcome
    status: str
    detail: str = ""
    available_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """The answers to a report, in the order of its results."""

    results: list[ResultOutcome]
    phase: Phase
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer to a count: whether the numbers were added (a repeated event_id adds nothing)."""

    applied: bool
    phase: Phase


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat: the renewed leases, and the items that this worker does not hold."""

    job_status: str
    cancel_requested: bool
    leases: list[tuple[int, datetime]]
    lost: list[int]
