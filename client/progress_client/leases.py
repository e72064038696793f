"""Leased items and the times of their renewals. Pure: the caller passes the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

RENEWALS = 3
MOST_NAMED = 1000

Group = tuple[int, str]


@dataclass
class _LeaseGroup:
    """Items leased by one worker in one job, and the time of the next renewal."""

    items: dict[int, Any] = field(default_factory=dict)
    every: float = 0.0
    due_at: float = 0.0


@dataclass
class Leases:
    """Leased items by (job, worker). Each lease is renewed three times within its length."""

    _groups: dict[Group, _LeaseGroup] = field(default_factory=dict)

    def take(self, group: Group, items: dict[int, Any], *, lease: float, now: float) -> None:
        """Add items (by id) leased for `lease` seconds from now."""
        held = self._groups.setdefault(group, _LeaseGroup())
        every = lease / RENEWALS
        if not held.items or every < held.every or now + every < held.due_at:
            held.every, held.due_at = every, now + every
        held.items.update(items)

    def drop(self, group: Group, ids: Iterable[int]) -> list[Any]:
        """Remove items; return those that were leased."""
        held = self._groups.get(group)
        if held is None:
            return []
        gone = [held.items.pop(number) for number in ids if number in held.items]
        if not held.items:
            del self._groups[group]
        return gone

    def due(self, *, now: float) -> list[tuple[Group, list[int]]]:
        """Return the ids to renew now, at most 1000 together; the next renewal is a third of a lease later."""
        found = []
        for group, held in self._groups.items():
            if held.due_at <= now:
                held.due_at = now + held.every
                ids = list(held.items)
                found += [(group, ids[start : start + MOST_NAMED]) for start in range(0, len(ids), MOST_NAMED)]
        return found

    def next_at(self) -> float | None:
        """Return the time of the next renewal; None if nothing is leased."""
        return min((held.due_at for held in self._groups.values()), default=None)

    def retry_at(self, group: Group, *, at: float) -> None:
        """Retry a failed renewal at this time, or at its regular time if that is earlier."""
        held = self._groups.get(group)
        if held:
            held.due_at = min(held.due_at, at)

    def leased(self, group: Group | None = None) -> list[Any]:
        """Return the items of one group, or all."""
        groups = self._groups.values() if group is None else [self._groups.get(group, _LeaseGroup())]
        return [item for held in groups for item in held.items.values()]
