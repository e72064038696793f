"""Buffer of outcomes that wait to be sent, grouped into requests. Pure: no clock, no network, no disk."""

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
    """Destination of outcomes: a phase of a job and the name of the worker."""

    job: int
    phase: str
    worker: str = ""

    @property
    def path(self) -> str:
        """The path of the phase below /api/v1."""
        return f"/jobs/{self.job}/phases/{quote(self.phase, safe='')}"


@dataclass(frozen=True)
class Outcome:
    """The result of one item, or the counts of a phase without items, with its number in the journal."""

    number: int
    address: Address
    body: Body
    is_count: bool = False

    def entry(self) -> Body:
        """Return the journal entry of this outcome."""
        where = self.address
        what = "count" if self.is_count else "result"
        return {"job": where.job, "phase": where.phase, "worker": where.worker, what: self.body}

    @classmethod
    def of(cls, number: int, entry: Body) -> Outcome:
        """Read an outcome from a journal entry. ValueError if the entry is not valid."""
        job, phase, worker = entry.get("job"), entry.get("phase"), entry.get("worker", "")
        is_count = "count" in entry
        body = entry.get("count" if is_count else "result")
        if not (isinstance(job, int) and isinstance(phase, str) and isinstance(worker, str) and isinstance(body, dict)):
            raise ValueError("The journal entry is not valid.")
        return cls(number, Address(job, phase, worker), body, is_count)


@dataclass(frozen=True)
class Portion:
    """The outcomes of one request."""

    address: Address
    outcomes: tuple[Outcome, ...]

    @property
    def path(self) -> str:
        """The path of the request."""
        return f"{self.address.path}/{'count' if self.outcomes[0].is_count else 'report'}"

    @property
    def body(self) -> Body:
        """The body of the request."""
        if self.outcomes[0].is_count:
            return self.outcomes[0].body
        return {"worker": self.address.worker, "results": [outcome.body for outcome in self.outcomes]}

    @property
    def numbers(self) -> list[int]:
        """The journal numbers of the outcomes."""
        return [outcome.number for outcome in self.outcomes]


@dataclass
class Buffer:
    """Outcomes by address in the order of arrival, so that outcomes of one item are never sent out of order."""

    size: int = 0
    _waiting: dict[Address, deque[Outcome]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Append an outcome."""
        self._waiting.setdefault(outcome.address, deque()).append(outcome)
        self.size += 1

    def put_back(self, portion: Portion) -> None:
        """Return unsent outcomes to the front of their address. Other addresses are sent first."""
        queue = self._waiting.pop(portion.address, deque())
        queue.extendleft(reversed(portion.outcomes))
        self._waiting[portion.address] = queue
        self.size += len(portion.outcomes)

    def addresses(self) -> list[Address]:
        """List the addresses with waiting outcomes, the next one first."""
        return list(self._waiting)

    def number(self, job: int | None) -> int:
        """Count the waiting outcomes of a job, or of all jobs for None."""
        if job is None:
            return self.size
        return sum(len(queue) for address, queue in self._waiting.items() if address.job == job)

    def __contains__(self, address: Address) -> bool:
        return address in self._waiting

    def portion(self, address: Address, *, most: int = MOST_RESULTS) -> Portion:
        """Take the oldest outcomes of an address that fit into one request, at most `most`."""
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
    """Estimate the size of the outcome as JSON."""
    large = [outcome.body[name] for name in ("result", "log", "links") if outcome.body.get(name)]
    return 200 + len(outcome.body.get("key", "")) * 2 + sum(len(json.dumps(value)) for value in large)
