"""JSON representations of items, in a list and in a claim, and of their attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from jobs.models import Attempt, Item
from jobs.rules.statuses import AttemptOutcome, ItemStatus
from jobs.serializers.shapes import AttemptBody, ClaimedBody, ItemBody


class Claim(Protocol):
    """An item that is leased to a worker."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def payload(self) -> dict[str, Any]: ...
    @property
    def attempt(self) -> int: ...
    @property
    def lease_expires_at(self) -> datetime: ...
    @property
    def failures(self) -> int: ...
    @property
    def last_error(self) -> str: ...


def item_body(item: Item) -> ItemBody:
    """Build the body of an item of a list; no query."""
    return {
        "id": item.pk,
        "key": item.key,
        "label": item.label,
        "split": item.split,
        "payload": item.payload,
        "status": ItemStatus(item.status),
        "attempt": item.attempt,
        "tries": item.tries,
        "failures": item.failures,
        "available_at": item.available_at,
        "worker": item.worker,
        "lease_expires_at": item.lease_expires_at,
        "error": item.error,
        "result": item.result,
        "started_at": item.started_at,
        "finished_at": item.finished_at,
    }


def claimed_body(item: Claim) -> ClaimedBody:
    """Build the body of a claimed item."""
    body: ClaimedBody = {
        "id": item.id,
        "key": item.key,
        "label": item.label,
        "split": item.split,
        "payload": item.payload,
        "attempt": item.attempt,
        "lease_expires_at": item.lease_expires_at,
    }
    if item.failures:
        body["failures"], body["last_error"] = item.failures, item.last_error
    return body


def attempt_body(attempt: Attempt) -> AttemptBody:
    """Build the body of an ended attempt. Load it with its account."""
    return {
        "id": attempt.pk,
        "number": attempt.number,
        "worker": attempt.worker,
        "account": attempt.account.get_username() if attempt.account else "",
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": AttemptOutcome(attempt.outcome),
        "error": attempt.error,
        "log": attempt.log,
        "links": attempt.links,
    }
