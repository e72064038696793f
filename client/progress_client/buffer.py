"""Outcomes that wait to be told, and how many of them go into one call. Pure: no clock, no network, no disk."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

MOST_RESULTS = 1000
MOST_BYTES = 512 * 1024

Body = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """Where outcomes are told: a phase of a job, under the name of a worker."""

    job: int
    phase: str
    worker: str = ""

    @property
    def path(self) -> str:
        """The phase below /api/v1."""
        return f"/jobs/{self.job}/phases/{quote(self.phase, safe='')}"


@dataclass(frozen=True)
class Outcome:
    """What is told of one item (`result`) or of a phase without items (`count`), under its number in the journal."""

    number: int
    address: Address
    body: Body
    is_count: bool = False

    def entry(self) -> Body:
        """What the journal keeps of it."""
        where = self.address
        what = "count" if self.is_count else "result"
        return {"job": where.job, "phase": where.phase, "worker": where.worker, what: self.body}

    @classmethod
    def of(cls, number: int, entry: Body) -> Outcome:
        """The outcome that an entry of the journal says. ValueError where it says none."""
        job, phase, worker = entry.get("job"), entry.get("phase"), entry.get("worker", "")
        is_count = "count" in entry
        body = entry.get("count" if is_count else "result")
        if not (isinstance(job, int) and isinstance(phase, str) and isinstance(worker, str) and isinstance(body, dict)):
            raise ValueError("This entry says no outcome.")
        return cls(number, Address(job, phase, worker), body, is_count)


@dataclass(frozen=True)
class Portion:
    """The outcomes of one call."""

    address: Address
    outcomes: tuple[Outcome, ...]

    @property
    def path(self) -> str:
        """Where it is sent."""
        return f"{self.address.path}/{'count' if self.outcomes[0].is_count else 'report'}"

    @property
    def body(self) -> Body:
        """What is sent."""
        if self.outcomes[0].is_count:
            return self.outcomes[0].body
        return {"worker": self.address.worker, "results": [outcome.body for outcome in self.outcomes]}

    @property
    def numbers(self) -> list[int]:
        """Their numbers in the journal."""
        return [outcome.number for outcome in self.outcomes]


@dataclass
class Buffer:
    """Outcomes in the order in which they came, by address: those of one item are never told out of order."""

    size: int = 0
    _waiting: dict[Address, deque[Outcome]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Put one at the end."""
        self._waiting.setdefault(outcome.address, deque()).append(outcome)
        self.size += 1

    def put_back(self, portion: Portion) -> None:
        """Put outcomes that were not told before those of their address; it is the turn of the others then."""
        queue = self._waiting.pop(portion.address, deque())
        queue.extendleft(reversed(portion.outcomes))
        self._waiting[portion.address] = queue
        self.size += len(portion.outcomes)

    def addresses(self) -> list[Address]:
        """The addresses at which something waits, in the order of their turns."""
        return list(self._waiting)

    def number(self, job: int | None) -> int:
        """How many outcomes of a job wait; None: of all jobs."""
        if job is None:
            return self.size
        return sum(len(queue) for address, queue in self._waiting.items() if address.job == job)

    def __contains__(self, address: Address) -> bool:
        return address in self._waiting

    def portion(self, address: Address, *, most: int = MOST_RESULTS) -> Portion:
        """Take as many of the oldest of an address as fit into one call, at most so many."""
        queue = self._waiting[address]
        taken = [queue.popleft()]
        size = _bytes(taken[0])
        while queue and not taken[0].is_count and not queue[0].is_count and len(taken) < most:
            size += _bytes(queue[0])
            if size > MOST_BYTES:
                break
            taken.append(queue.popleft())
        if not queue:
            del self._waiting[address]
        self.size -= len(taken)
        return Portion(address, tuple(taken))


def _bytes(outcome: Outcome) -> int:
    """About how long it is as JSON."""
    result = outcome.body.get("result")
    return 200 + len(outcome.body.get("key", "")) * 2 + (len(json.dumps(result)) if result else 0)
