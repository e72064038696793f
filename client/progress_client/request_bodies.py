"""Types of the JSON bodies that the calls take: items, phases and outcomes."""

from __future__ import annotations

from typing import TypedDict

from progress_client.bodies import Link, Payload


class _Keyed(TypedDict):
    key: str


class NewItemBody(_Keyed, total=False):
    """An item to list: in `Client.job(items=…)` and `Job.add_items`."""

    label: str
    split: str
    payload: Payload


class _Outcome(TypedDict):
    key: str
    status: str


class OutcomeBody(_Outcome, total=False):
    """An outcome to report."""

    attempt: int
    error: str
    result: Payload
    retry: bool
    retry_after: int
    log: str
    links: list[Link]


class _Code(TypedDict):
    code: str


class NewPhaseBody(_Code, total=False):
    """A phase of a new job, in `Client.job(phases=…)`."""

    asset_type: str
    weight: int
    expected: int | None
    threshold: int
    trigger: str
    on_shortfall: str
    gated: bool
    watermark_ttl: int
    stage: str
    label: str
    retries: int
    retry_delay: int
    retry_delay_max: int
    max_leased: int | None
    silent_after: int | None
    stalled_after: int | None
