"""Types of the JSON bodies that the calls return. A newer site may add fields."""

from __future__ import annotations

from typing import Any, TypedDict, Union

Number = Union[int, float]
Payload = dict[str, Any]


class Current(TypedDict):
    """The item of a phase that changed last."""

    key: str
    label: str
    payload: Payload


class PhaseBody(TypedDict):
    """One phase of a job. Times are RFC 3339 texts; `expected` is None until it is announced."""

    code: str
    asset_type: str
    label: str
    position: int
    weight: int
    run: int
    status: str
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
    over_delivered: bool
    trigger: str
    on_shortfall: str
    gated: bool
    max_leased: int | None
    deadline_at: str | None
    rate_per_minute: Number | None
    eta_seconds: Number | None
    current: Current | None
    started_at: str | None
    completed_at: str | None
    completed_by: str | None
    retries: int
    retry_delay: int
    retry_delay_max: int
    waiting: int
    next_retry_at: str | None


class JobBody(TypedDict):
    """One job with its phases, as `Job.body`, `watch` and `GET /jobs/{id}` have it."""

    id: int
    name: str
    kind: str
    project: str
    status: str
    partial: bool
    stuck: str | None
    late: bool
    stage: str
    percent: int
    settled_percent: int
    revision: int
    error: str
    metadata: Payload
    priority: int
    due_at: str | None
    expected_seconds: int | None
    rate_per_minute: Number | None
    eta_seconds: Number | None
    heartbeat_at: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    phases: list[PhaseBody]


class ItemBody(TypedDict):
    """One item, as `Job.items` yields it."""

    id: int
    key: str
    label: str
    split: str
    payload: Payload
    status: str
    attempt: int
    tries: int
    failures: int
    available_at: str | None
    worker: str
    lease_expires_at: str | None
    error: str
    result: Payload
    started_at: str | None
    finished_at: str | None


class Link(TypedDict):
    """A link of an attempt."""

    label: str
    url: str


class Added(TypedDict):
    """The answer to `add_items`."""

    added: int
    existing: int


class Announced(TypedDict):
    """The answer to `announce`; `reason` is duplicate, same_total or closed if nothing was applied."""

    applied: bool
    reason: str | None
    phase: PhaseBody


class Counted(TypedDict):
    """The answer to `count`."""

    applied: bool
    phase: PhaseBody


class _Result(TypedDict):
    key: str
    outcome: str
    status: str | None


class ResultBody(_Result, total=False):
    """The result of one outcome: applied, duplicate, stale, closed or invalid."""

    detail: str
    available_at: str


class Reported(TypedDict):
    """The answer to `report`."""

    results: list[ResultBody]
    phase: PhaseBody
    cancel_requested: bool


class Lease(TypedDict):
    """A renewed lease: item and end."""

    id: int
    lease_expires_at: str


class Beat(TypedDict):
    """The answer to `heartbeat`."""

    job_status: str
    cancel_requested: bool
    leases: list[Lease]
    lost: list[int]


class Figures(TypedDict):
    """The answer to `progress`."""

    total: int | None
    processed: int
    error: int
    skipped: int
    pending: int | None
    processing: int
    percent: int | None
    by_split: dict[str, dict[str, int]]


class PhaseCount(TypedDict):
    """The number of failures with one error in a phase."""

    phase: str
    count: int


class ErrorGroup(TypedDict):
    """Failures with one error, in `errors`."""

    signature: str
    sample: str
    count: int
    first_at: str | None
    last_at: str | None
    workers: list[str]
    worker_count: int
    item: int
    phases: list[PhaseCount]


class Attempt(TypedDict):
    """An ended attempt of an item."""

    id: int
    number: int
    worker: str
    account: str
    started_at: str | None
    ended_at: str
    outcome: str
    error: str
    log: str
    links: list[Link]


class Attempts(TypedDict):
    """The answer to `attempts`, newest first."""

    results: list[Attempt]


class EventBody(TypedDict):
    """An entry of the timeline."""

    id: int
    type: str
    at: str
    actor: str
    reason: str
    detail: str
    outward: bool


class Timeline(TypedDict):
    """A page of the timeline, newest first."""

    results: list[EventBody]
    next: str | None


class RefusedItem(TypedDict):
    """An item that an act left as it is, and why."""

    id: int
    detail: str


class _Act(TypedDict):
    changed: int
    refused: list[RefusedItem]
    detail: str


class Act(_Act, total=False):
    """The answer to an operator's act. `job` is missing after `delete`."""

    job: JobBody
