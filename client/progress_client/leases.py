"""The items that are ours for a while, and when to say that we still have them. Pure: the clock is the caller's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

RENEWALS = 3
MOST_NAMED = 1000

Group = tuple[int, str]


@dataclass
class _Held:
    """What one worker holds in one job, and when it is to be renewed."""

    items: dict[int, Any] = field(default_factory=dict)
    every: float = 0.0
    due_at: float = 0.0


@dataclass
class Leases:
    """Items by (job, worker). A lease is renewed three times within its length."""

    _groups: dict[Group, _Held] = field(default_factory=dict)

    def take(self, group: Group, items: dict[int, Any], *, lease: float, now: float) -> None:
        """These items (by their ids) are ours from now on for `lease` seconds."""
        held = self._groups.setdefault(group, _Held())
        every = lease / RENEWALS
        if not held.items or every < held.every or now + every < held.due_at:
            held.every, held.due_at = every, now + every
        held.items.update(items)

    def drop(self, group: Group, ids: Iterable[int]) -> list[Any]:
        """We have these no longer; the items that we had."""
        held = self._groups.get(group)
        if held is None:
            return []
        gone = [held.items.pop(number) for number in ids if number in held.items]
        if not held.items:
            del self._groups[group]
        return gone

    def drop_all(self, group: Group) -> list[Any]:
        """We have nothing of this group any more; the items that we had."""
        held = self._groups.pop(group, None)
        return list(held.items.values()) if held else []

    def due(self, *, now: float) -> list[tuple[Group, list[int]]]:
        """What is to be renewed now, at most 1000 ids together; it is due again a third of a lease later."""
        found = []
        for group, held in self._groups.items():
            if held.due_at <= now:
                held.due_at = now + held.every
                ids = list(held.items)
                found += [(group, ids[start : start + MOST_NAMED]) for start in range(0, len(ids), MOST_NAMED)]
        return found

    def next_at(self) -> float | None:
        """When the next renewal is due; None while nothing is held."""
        return min((held.due_at for held in self._groups.values()), default=None)

    def again(self, group: Group, *, at: float) -> None:
        """A renewal brought no answer: it is due again at this time, or earlier if it is anyway."""
        held = self._groups.get(group)
        if held:
            held.due_at = min(held.due_at, at)

    def held(self, group: Group | None = None) -> list[Any]:
        """The items of one group, or all."""
        groups = self._groups.values() if group is None else [self._groups.get(group, _Held())]
        return [item for held in groups for item in held.items.values()]
