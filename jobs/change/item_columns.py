"""Columns of an item that becomes pending again: after an expired lease, a release or a retry."""

from __future__ import annotations

from typing import Any, Protocol

from django.db.models import F

from jobs.rules.statuses import ItemStatus

# A lease has expired. The attempt stays, so that the last holder's result counts until the next claim.
EXPIRED: dict[str, Any] = {
    "status": ItemStatus.PENDING,
    "lease_seconds": None,
    "lease_expires_at": None,
    "started_at": None,
}
# Given back, released or revoked. The new attempt is the fence: a report of the last holder is stale.
TAKEN_BACK: dict[str, Any] = EXPIRED | {"attempt": F("attempt") + 1}
# Retried, restarted or skipped: nothing of an earlier outcome is left.
CLEARED: dict[str, Any] = TAKEN_BACK | {
    "error": "",
    "signature": "",
    "result": {},
    "checksum": "",
    "finished_at": None,
    "available_at": None,
}
# Retried or restarted: expired leases and failures are counted from the beginning.
RENEWED: dict[str, Any] = CLEARED | {"tries": 0, "failures": 0}


class Held(Protocol):
    """An item in memory that a worker has leased."""

    attempt: int


def expire(item: Held) -> None:
    """Set the columns of an item in memory whose lease has expired."""
    for column, value in EXPIRED.items():
        setattr(item, column, value)


def take_back(item: Held) -> None:
    """Set the columns of an item in memory that its worker loses or gives back."""
    expire(item)
    item.attempt += 1
