"""JSON representations of items: in a list, and in a claim."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from jobs.models import Item
from jobs.rules.statuses import ItemStatus
from jobs.serializers.shapes import ClaimedBody, ItemBody


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
        "worker": item.worker,
        "lease_expires_at": item.lease_expires_at,
        "error": item.error,
        "result": item.result,
        "started_at": item.started_at,
        "finished_at": item.finished_at,
    }


def claimed_body(item: Claim) -> ClaimedBody:
    """Build the body of a claimed item."""
    return {
        "id": item.id,
        "key": item.key,
        "label": item.label,
        "split": item.split,
        "payload": item.payload,
        "attempt": item.attempt,
        "lease_expires_at": item.lease_expires_at,
    }
