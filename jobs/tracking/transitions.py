"""The legal transitions of an item by a reported result. They use no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random
from typing import Any

from msgspec import Struct

from jobs.change.item_columns import expire, take_back
from jobs.db import bulk_sql
from jobs.rules.error_fingerprints import signature
from jobs.rules.limits import CHECKSUM_LENGTH, ERROR_LENGTH
from jobs.rules.retries import RetryPolicy
from jobs.rules.statuses import SETTLED_ITEM, ItemStatus, Outcome
from jobs.tracking.types import Result

LOADED = (
    "id", "key_digest", "key", "label", "status", "attempt", "worker", "account", "lease_seconds", "checksum",
    "failures", "available_at", "started_at",
)  # fmt: skip
GUARDS = ("id", "status", "attempt")
GUARDED = ("id", "was_status", "was_attempt")
WRITTEN = (
    "status", "attempt", "worker", "account", "lease_seconds", "lease_expires_at", "error", "signature", "result",
    "checksum", "finished_at", "failures", "available_at",
)  # fmt: skip
BEGUN = (*WRITTEN, "started_at")
# As plain texts: a member of an enumeration costs 0.1 µs each time that it is named, and each result names many.
PENDING, PROCESSING, COMPLETED, FAILED, SKIPPED = (status.value for status in ItemStatus)


class ItemState(Struct, gc=False):
    """The working copy of one item while the results of a report are applied to it in turn.

    `moved` means that it must be saved, `begun` that this includes the time of its start. GUARDED are the columns that
    must be unchanged then: the id, and status and attempt as loaded.
    """

    id: int
    key_digest: str
    key: str
    label: str
    status: str
    attempt: int
    worker: str
    account: int | None
    lease_seconds: int | None
    checksum: str
    failures: int = 0
    available_at: datetime | None = None
    started_at: datetime | None = None
    lease_expires_at: datetime | None = None
    error: str = ""
    signature: str = ""
    result: dict[str, Any] = {}
    finished_at: datetime | None = None
    was_status: str = ""
    was_attempt: int = 0
    moved: bool = False
    begun: bool = False


def loaded(row: Sequence[Any]) -> ItemState:
    """Return the working copy of an item from its columns LOADED."""
    item = ItemState(*row)
    item.was_status, item.was_attempt = item.status, item.attempt
    if item.available_at or item.started_at:
        item.available_at, item.started_at = bulk_sql.moment(item.available_at), bulk_sql.moment(item.started_at)
    return item


@dataclass(frozen=True, slots=True)
class Reporter:
    """The worker that reports, the time, and the refusals of the phase and the job at this moment.

    `closed` says why every result is refused (empty: open), `paused` why no new item may start. Without
    `lease_seconds` an item that starts is held until it is reported or released.
    """

    worker: str
    account: int | None
    now: datetime
    lease_seconds: int | None
    policy: RetryPolicy
    closed: str = ""
    paused: str = ""


Answer = tuple[Outcome, str]
APPLIED: Answer = (Outcome.APPLIED, "")


def apply(item: ItemState, result: Result, reporter: Reporter) -> Answer:
    """Apply the result to the working copy; return the outcome, and why it was not applied.

    A repetition is a duplicate before anything else is checked. Then the phase must be open, and then the attempt must
    be the current one.
    """
    if _is_repetition(item, result, reporter):
        return Outcome.DUPLICATE, ""
    if reporter.closed:
        return Outcome.CLOSED, reporter.closed
    if result.attempt is not None and result.attempt != item.attempt:
        return _fenced(item, result.attempt)
    if item.status in SETTLED_ITEM:
        return _settled(item, result, reporter)
    if result.status == PROCESSING:
        return _begin(item, reporter)
    if result.status == PENDING:
        return _give_back(item, result, reporter)
    return (_fail if result.status == FAILED else _settle)(item, result, reporter)


def _is_repetition(item: ItemState, result: Result, reporter: Reporter) -> bool:
    """Return whether this result has been applied already.

    An item that waits for its retry was not claimed since its failure, so that a failure of this attempt is the same
    one. Without an attempt it is a second one only when the item is due.
    """
    if item.status in SETTLED_ITEM:
        return item.status == result.status and item.checksum == checksum(result)
    if item.available_at is None or result.status != FAILED:
        return False
    if result.attempt is None:
        return reporter.now < item.available_at
    return result.attempt == item.attempt


def checksum(result: Result) -> str:
    """Return the checksum of a result; empty without one."""
    value = result.result.get("checksum", "")
    return value[:CHECKSUM_LENGTH] if isinstance(value, str) else str(value)[:CHECKSUM_LENGTH]


def _fenced(item: ItemState, attempt: int) -> Answer:
    if attempt < item.attempt:
        return Outcome.STALE, f"Attempt {attempt} is over: the item is {item.status} at attempt {item.attempt}."
    return Outcome.INVALID, f"Attempt {attempt} was never given out: the item is at attempt {item.attempt}."


def _settled(item: ItemState, result: Result, reporter: Reporter) -> Answer:
    if item.status == FAILED and result.status == COMPLETED:
        return _settle(item, result, reporter)
    if item.status == FAILED:
        return Outcome.STALE, f"The item is failed; it can become {result.status} only after a retry."
    replacement = "another checksum" if item.status == result.status else result.status
    return Outcome.STALE, f"The item is {item.status}; {replacement} cannot replace that, only a restart can."


def _begin(item: ItemState, reporter: Reporter) -> Answer:
    if item.status == PROCESSING:
        if not _holds(item, reporter):
            return Outcome.STALE, f"The item is processing, held by {item.worker or 'another worker'}."
        _lease(item, reporter, seconds=item.lease_seconds or reporter.lease_seconds)
        return Outcome.DUPLICATE, "The lease was renewed."
    if reporter.paused:
        return Outcome.CLOSED, reporter.paused
    item.attempt += 1
    item.begun, item.started_at, item.finished_at, item.available_at = True, reporter.now, None, None
    _lease(item, reporter, seconds=reporter.lease_seconds)
    item.status = PROCESSING
    return APPLIED


def _holds(item: ItemState, reporter: Reporter) -> bool:
    """Return whether the reporter holds the item: its name under its account."""
    return (item.worker, item.account) == (reporter.worker, reporter.account)


def _lease(item: ItemState, reporter: Reporter, *, seconds: int | None) -> None:
    item.moved = True
    item.worker, item.account, item.lease_seconds = reporter.worker, reporter.account, seconds
    item.lease_expires_at = reporter.now + timedelta(seconds=seconds) if seconds else None


def _give_back(item: ItemState, result: Result, reporter: Reporter) -> Answer:
    if item.status == PENDING:
        return Outcome.DUPLICATE, ""
    if result.attempt is None and not _holds(item, reporter):
        return Outcome.STALE, f"The item is processing, held by {item.worker or 'another worker'}."
    take_back(item)
    item.moved = item.begun = True
    return APPLIED


def _fail(item: ItemState, result: Result, reporter: Reporter) -> Answer:
    """Settle the item as failed, or let it wait for its next retry: pending, with the error of this failure.

    Its attempt stays, as after an expired lease: a later success of the same worker still counts until the next claim.
    """
    item.failures += 1
    _settle(item, result, reporter)
    if result.retry is not False and not reporter.policy.is_final(item.failures):
        expire(item)
        item.begun, item.finished_at = True, None
        item.available_at = reporter.now + _delay(item, result, reporter.policy)
    return APPLIED


def _delay(item: ItemState, result: Result, policy: RetryPolicy) -> timedelta:
    if result.retry_after is not None:
        return timedelta(seconds=result.retry_after)
    return policy.delay_after(item.failures, chance=random())  # noqa: S311 - it only spreads the load


def _settle(item: ItemState, result: Result, reporter: Reporter) -> Answer:
    item.moved = True
    item.status, item.available_at = result.status, None
    item.error = item.signature = ""
    if item.status == FAILED:
        item.error = (result.error or "unknown error")[:ERROR_LENGTH]
        item.signature = signature(item.error)
    elif item.status == SKIPPED:
        item.error = result.error[:ERROR_LENGTH]
    item.result, item.checksum = result.result, checksum(result)
    item.worker, item.account = reporter.worker or item.worker, reporter.account
    item.lease_seconds, item.lease_expires_at, item.finished_at = None, None, reporter.now
    return APPLIED
