"""Response bodies beside the job, phase and item bodies."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from jobs.api.schema import values_of
from jobs.rules.field_types import Moment
from jobs.rules.incidents import IncidentState
from jobs.rules.statuses import ItemStatus, JobStatus, Outcome, Reason
from jobs.serializers import (
    ActivityRow,
    AttemptBody,
    ClaimedBody,
    ItemBody,
    JobBody,
    JobClaimedBody,
    JobsErrorGroup,
    OutwardEvent,
    PhaseBody,
    TimelineRow,
)


class JobPage(TypedDict):
    """One page of jobs; `next` is the address of the following one."""

    results: list[JobBody]
    next: str | None


class ItemPage(TypedDict):
    """One page of items."""

    results: list[ItemBody]
    next: str | None


class AttemptsAnswer(TypedDict):
    """The last ended attempts of an item, newest first."""

    results: list[AttemptBody]


class TimelinePage(TypedDict):
    """One page of a job's timeline, newest first."""

    results: list[TimelineRow]
    next: str | None


class ActivityPage(TypedDict):
    """One page of the activity, newest first."""

    results: list[ActivityRow]
    next: str | None


class EventPage(TypedDict):
    """Outward events in the order in which they happened; continue with `next`, or later with `after`."""

    results: list[OutwardEvent]
    next: str | None


class ErrorPage(TypedDict):
    """The groups of the examined failures, and their number; `capped` if older failures were not examined."""

    results: list[JobsErrorGroup]
    looked_at: int
    capped: bool


class Lease(TypedDict):
    """An item and the end of its renewed lease."""

    id: int
    lease_expires_at: Moment


class HeartbeatAnswer(TypedDict):
    """The renewed leases, and the named items that this worker does not hold."""

    job_status: JobStatus
    cancel_requested: bool
    leases: list[Lease]
    lost: list[int]


class AnnounceAnswer(TypedDict):
    """Was the total accepted; if not, the reason."""

    applied: bool
    reason: Literal["duplicate", "same_total", "closed"] | None
    phase: PhaseBody


class EventAnswer(TypedDict):
    """Did the event change anything; if not, the reason. `job` is the job's id, `phases` the affected codes."""

    applied: bool
    reason: Literal["duplicate", "same_total", "closed"] | None
    job: int
    phases: list[str]


class ItemsAnswer(TypedDict):
    """The number of new keys, and of keys that existed already."""

    added: int
    existing: int


class _ReachedLimit(TypedDict, total=False):
    detail: str
    limit_of: Literal["phase", "project"]


class ClaimAnswer(_ReachedLimit):
    """The items that the worker now holds, or the reason why there are none.

    With the reason `limit`, `limit_of` and `detail` say which limit of leased items is reached.
    """

    items: list[ClaimedBody]
    reason: Reason | None


class ClaimAnyAnswer(_ReachedLimit):
    """The items that the worker now holds, each with its job and phase."""

    items: list[JobClaimedBody]
    reason: Reason | None


class _ResultAnswer(TypedDict):
    key: str
    outcome: Outcome
    status: Annotated[str, values_of(ItemStatus, empty=True)]


class ResultAnswer(_ResultAnswer, total=False):
    """The outcome of one result; `status` is the item's present status, empty if there is no such item.

    A failure that is retried has the status `pending`, and `available_at` is the time of the retry.
    """

    detail: str
    available_at: Moment


class ReportAnswer(TypedDict):
    """One outcome per result, in their order."""

    results: list[ResultAnswer]
    phase: PhaseBody
    cancel_requested: bool


class CountAnswer(TypedDict):
    """Were the numbers added; a repeated event_id adds nothing."""

    applied: bool
    phase: PhaseBody


class RefusedRow(TypedDict):
    """One target that an act left alone, with the reason."""

    id: int
    detail: str


class ActAnswer(TypedDict):
    """The changes of an operator's act, the targets it left alone, and the reason if it did nothing."""

    changed: int
    refused: list[RefusedRow]
    detail: str
    job: JobBody


class FreedAnswer(TypedDict):
    """The freeing of a worker: `changed` items in `jobs`; each refused job is named with the reason."""

    changed: int
    jobs: int
    refused: list[RefusedRow]
    detail: str


class DeletionAnswer(TypedDict):
    """The deletion of a job; there is no job to return."""

    changed: int
    refused: list[RefusedRow]
    detail: str


class ActArgumentsBody(TypedDict):
    """The arguments of an act as JSON Schema: `properties` by name, and which are `required`."""

    properties: dict[str, Any]
    required: list[str]


class ActRow(TypedDict):
    """One act: its name (the path of its call), permission, legal states of the job, and arguments."""

    name: str
    label: str
    permission: str
    states: list[Annotated[str, values_of(JobStatus)]]
    reason_required: bool
    arguments: ActArgumentsBody


class IncidentActRow(TypedDict):
    """One act on incidents, in the states in which it is possible."""

    name: str
    label: str
    permission: str
    states: list[Annotated[str, values_of(IncidentState)]]
    reason_required: bool
    arguments: ActArgumentsBody


class ActsAnswer(TypedDict):
    """Every act: on jobs, and on incidents."""

    results: list[ActRow]
    incident_acts: list[IncidentActRow]
