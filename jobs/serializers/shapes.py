"""The types of the JSON representations, for the code that builds them and for the OpenAPI document."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

from jobs.rules.field_types import Moment
from jobs.rules.statuses import (
    AttemptOutcome,
    CompletedBy,
    ItemStatus,
    JobStatus,
    PhaseStatus,
    Shortfall,
    Stuck,
    Trigger,
)


class CurrentItem(TypedDict):
    """The item of a phase that changed last."""

    key: str
    label: str
    payload: dict[str, Any]


class PhaseBody(TypedDict):
    """A counted part of a job. Times are UTC, rates items per minute, `expected` null until announced.

    `waiting` of the pending items wait for an automatic retry, the first until `next_retry_at`. The delays are seconds.
    `reworking` counts the open items of a completed phase in which failed items were retried.
    """

    code: str
    asset_type: str
    label: str
    position: int
    weight: int
    run: int
    status: PhaseStatus
    expected: int | None
    done: int
    failed: int
    skipped: int
    processing: int
    pending: int | None
    percent: int | None
    settled_percent: int | None
    threshold: int
    needed: int | None
    partial: bool
    reworking: int
    over_delivered: bool
    trigger: Trigger
    on_shortfall: Shortfall
    gated: bool
    max_leased: int | None
    deadline_at: Moment | None
    rate_per_minute: float | None
    eta_seconds: int | None
    current: CurrentItem | None
    started_at: Moment | None
    completed_at: Moment | None
    completed_by: CompletedBy | None
    retries: int
    retry_delay: int
    retry_delay_max: int
    waiting: int
    next_retry_at: Moment | None


class JobBody(TypedDict):
    """A job, the same in REST and in every live message; `revision` grows with every change.

    `late` means unfinished after `due_at`, which counts from the start where there are `expected_seconds`. `reworking`
    counts the open items of a completed job after failed items were retried.
    """

    id: int
    name: str
    kind: str
    project: str
    status: JobStatus
    partial: bool
    reworking: int
    stuck: Stuck | None
    late: bool
    due_at: Moment | None
    expected_seconds: int | None
    priority: int
    stage: str
    percent: int
    settled_percent: int
    revision: int
    error: str
    metadata: dict[str, Any]
    rate_per_minute: float | None
    eta_seconds: int | None
    heartbeat_at: Moment | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    phases: list[PhaseBody]


class ItemBody(TypedDict):
    """A unit of a phase; `attempt` is the fence, `tries` the leases that expired since the last retry.

    `failures` were reported since then. A pending item with `available_at` waits until then for an automatic retry.
    """

    id: int
    key: str
    label: str
    split: str
    payload: dict[str, Any]
    status: ItemStatus
    attempt: int
    tries: int
    failures: int
    available_at: Moment | None
    worker: str
    lease_expires_at: Moment | None
    error: str
    result: dict[str, Any]
    started_at: Moment | None
    finished_at: Moment | None


class _ClaimedBody(TypedDict):
    id: int
    key: str
    label: str
    split: str
    payload: dict[str, Any]
    attempt: int
    lease_expires_at: Moment


class ClaimedBody(_ClaimedBody, total=False):
    """An item under a lease; report it with this `attempt`. One that failed before has `failures` and `last_error`."""

    failures: int
    last_error: str


class JobClaimedBody(ClaimedBody):
    """An item claimed from any job, with the job's id and the phase's code."""

    job: int
    phase: str


class LinkBody(TypedDict):
    """A link that a worker sent with a result."""

    label: str
    url: str


class AttemptBody(TypedDict):
    """An ended attempt of an item. `started_at` is null where no worker held it."""

    id: int
    number: int
    worker: str
    account: str
    started_at: Moment | None
    ended_at: Moment
    outcome: AttemptOutcome
    error: str
    log: str
    links: list[LinkBody]


class TimelineRow(TypedDict):
    """A row of a job's timeline: type, time, actor and reason."""

    id: int
    type: str
    at: Moment
    actor: str
    reason: str
    detail: str
    outward: bool


class ActivityRow(TypedDict):
    """An act of a person. `about` is the kind of the target, `job` the id of a job, `bulk` that of a bulk act."""

    id: int
    at: Moment
    actor: str
    act: str
    about: str
    target: str
    project: str
    job: int | None
    bulk: int | None
    detail: str
    reason: str


class EventJobBody(TypedDict):
    """The job of an event; `url` is the address of its page."""

    id: int
    name: str
    project: str
    kind: str
    url: str


class OutwardEvent(TypedDict):
    """An event that is sent to subscribers; `job_id` is the job's name, `event_id` the same on every delivery."""

    id: int
    event_id: UUID
    type: str
    job_id: str
    job: EventJobBody
    phase: str | None
    run: int | None
    occurred_at: Moment
    data: dict[str, Any]


class ProgressBody(TypedDict):
    """Live counts of a job or of one phase; `by_split` counts the items of each split by status."""

    total: int
    processed: int
    error: int
    skipped: int
    pending: int
    processing: int
    percent: int
    by_split: dict[str, dict[str, int]]


class PhaseOfError(TypedDict):
    """The number of failures of a group in phases of this code."""

    phase: str
    count: int


class JobOfError(TypedDict):
    """The number of failures of a group in this job."""

    id: int
    name: str
    kind: str
    count: int


class ErrorGroup(TypedDict):
    """Failures whose errors differ only in their numbers, paths and ids.

    `sample` is the newest of them, `item` its item. `workers` and `phases` are those with the most failures, at most
    twenty; `worker_count` counts all workers.
    """

    signature: str
    sample: str
    item: int | None
    count: int
    first_at: Moment | None
    last_at: Moment | None
    workers: list[str]
    worker_count: int
    phases: list[PhaseOfError]


class JobsErrorGroup(ErrorGroup):
    """Failures of several jobs; `jobs` are those with the most of them, at most twenty, `job_count` counts all."""

    jobs: list[JobOfError]
    job_count: int


class CauseBody(TypedDict):
    """A reason why a job is not finished; `code` is for programs, `detail` for people."""

    code: str
    detail: str


class RemedyBody(TypedDict):
    """An act that would help, its target, and its outcome with the present counts."""

    action: str
    detail: str
    outcome: str


class DiagnosisBody(TypedDict):
    """The diagnosis of a job: whether it will finish by itself, its causes, and the acts that would help."""

    verdict: str
    causes: list[CauseBody]
    remedies: list[RemedyBody]
