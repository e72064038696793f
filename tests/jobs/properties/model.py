"""A job on paper: the rules of counting once more in plain Python, to compare the kernel with.

It knows no database and nothing of the kernel. Every act settles at the end: gates, judgement, status.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LEASE = 90
MAX_TRIES = 3
OPEN = ("pending", "processing")
SETTLED = ("completed", "failed", "skipped")
GOING = ("pending", "processing", "paused")


class Refused(Exception):
    """The rules forbid this act in this state; nothing has changed."""


@dataclass
class PaperItem:
    """A unit of work."""

    status: str = "pending"
    attempt: int = 0
    tries: int = 0
    worker: str = ""
    checksum: str = ""
    lease_seconds: int | None = None
    lease_until: datetime | None = None
    failures: int = 0
    waits_until: datetime | None = None

    def free(self, status: str, *, fence: bool = True) -> None:
        """Take the item from its worker; under a new attempt unless the lease only expired."""
        self.status, self.lease_seconds, self.lease_until, self.waits_until = status, None, None, None
        self.attempt += fence

    def hold(self, worker: str, seconds: int, now: datetime) -> None:
        """Lease the item to a worker."""
        self.status, self.worker, self.attempt, self.waits_until = "processing", worker, self.attempt + 1, None
        self.lease_seconds, self.lease_until = seconds, now + timedelta(seconds=seconds)

    def has_live_lease(self, now: datetime) -> bool:
        """Return whether the item is leased and the lease has not expired."""
        return self.lease_until is not None and self.lease_until >= now


@dataclass
class PaperPhase:
    """A counted part of the job."""

    code: str
    threshold: int
    at_threshold: bool
    fails: bool
    gated: bool
    ttl: int
    retries: int = 0
    retry_delay: int = 30
    max_leased: int | None = None
    run: int = 1
    status: str = "pending"
    begun: bool = False
    listed: bool = False
    announced: bool = False
    forced: bool = False
    gate_open: bool = True
    waits: bool = False
    partial: bool = False
    completed_by: str = ""
    expected: int | None = None
    deadline: datetime | None = None
    left: timedelta | None = None
    items: dict[str, PaperItem] = field(default_factory=dict)
    event_ids: set[int] = field(default_factory=set)
    completions: Counter[int] = field(default_factory=Counter)
    quarantines: dict[str, datetime] = field(default_factory=dict)
    failed_since: dict[str, list[datetime]] = field(default_factory=dict)
    succeeded_at: dict[str, datetime] = field(default_factory=dict)

    def number(self, *statuses: str) -> int:
        """Return the number of its items in one of these states."""
        return sum(item.status in statuses for item in self.items.values())

    @property
    def waiting(self) -> list[datetime]:
        """The times of the items that wait for their retry."""
        return sorted(item.waits_until for item in self.items.values() if item.waits_until)

    @property
    def leased(self) -> int:
        """Number of leased items."""
        return self.number("processing")

    @property
    def full(self) -> bool:
        """Return whether as many items are leased as may be."""
        return self.max_leased is not None and self.leased >= self.max_leased

    def held_by(self, worker: str) -> list[PaperItem]:
        """Return the items that a worker holds."""
        return [item for item in self.items.values() if item.status == "processing" and item.worker == worker]

    @property
    def processed(self) -> int:
        """Items that count as success."""
        return self.number("completed", "skipped")

    @property
    def met(self) -> bool:
        """Return whether the threshold is met."""
        return self.expected is not None and self.processed * 100 >= self.expected * self.threshold

    def begin(self) -> None:
        """Start a run: its first claim or report."""
        self.begun = True
        if self.status == "pending":
            self.status = "processing"

    def go_on(self) -> None:
        """Open the phase again in the same run, with the rest of its time or, after its watermark, all of it."""
        self.status = "processing" if self.begun else "pending"
        self.completed_by, self.partial = "", False
        if self.left is not None:
            self.left = self.left or self.whole_time

    @property
    def whole_time(self) -> timedelta:
        """The time from an announcement to the watermark."""
        return timedelta(seconds=self.ttl)

    def run_clock(self, *, paused: bool, now: datetime) -> None:
        """Let time run while the gate is open and the job is not paused."""
        if self.status not in OPEN or (self.deadline, self.left) == (None, None):
            return
        if not self.gate_open:
            self.deadline, self.left = None, self.whole_time
        elif paused and self.deadline is not None:
            self.deadline, self.left = None, max(self.deadline - now, timedelta())
        elif not paused and self.left is not None:
            self.deadline, self.left = now + self.left, None

    def complete(self, by: str) -> None:
        """Complete this run, once."""
        self.partial = self.processed < (self.expected or 0)
        self.status, self.completed_by = "completed", by if self.partial else "all_done"
        self.deadline = self.left = None
        self.completions[self.run] += 1

    def fail(self, now: datetime) -> None:
        """End the phase without its threshold, or by an operator; the rest of its time is kept."""
        self.status = "failed"
        if self.deadline is not None:
            self.deadline, self.left = None, max(self.deadline - now, timedelta())

    def revoke(self) -> None:
        """Release every leased item."""
        for item in self.items.values():
            if item.status == "processing":
                item.free("pending")

    def judge(self, now: datetime) -> None:
        """Judge whether the phase is over, and how."""
        if self.expected is None:
            return
        settled = self.number(*SETTLED) >= self.expected
        if settled and self.number("failed") and not self.number("completed", "skipped"):
            self.fail(now)
            return
        early = self.at_threshold and self.met and not self.waits
        if not (early or settled or (self.deadline is not None and self.deadline <= now)):
            return
        if not self.met and self.fails:
            self.fail(now)
        else:
            self.complete("threshold" if early else "settled" if settled else "watermark")


@dataclass
class PaperJob:
    """The job: its phases in order, the operator's hold, and the clock."""

    now: datetime
    phases: list[PaperPhase]
    held: str = ""
    status: str = "pending"
    max_leased: int | None = None

    def room(self, phase: PaperPhase) -> int | None:
        """Return how many items of a phase may still be leased; None without a limit."""
        leased = sum(each.leased for each in self.phases)
        limits = [(phase.max_leased, phase.leased), (self.max_leased, leased)]
        return min((max(0, most - now) for most, now in limits if most is not None), default=None)

    def keeps_out(self, phase: PaperPhase, worker: str) -> bool:
        """Return whether a quarantine keeps the worker from the phase: its time, or the item that it tries."""
        until = phase.quarantines.get(worker)
        return until is not None and (until > self.now or bool(phase.held_by(worker)))

    def settle(self) -> None:
        """Open and close gates, judge every phase, derive the status."""
        earlier = True
        for phase in self.phases:
            phase.gate_open = earlier or not phase.gated
            phase.run_clock(paused=self.held == "paused", now=self.now)
            if phase.status in OPEN and phase.gate_open and self.held != "cancelled":
                phase.judge(self.now)
            earlier = earlier and phase.status == "completed"
        self.status = self._derived()
        if self.status == "completed":
            self.held = ""

    def _derived(self) -> str:
        statuses = [phase.status for phase in self.phases]
        if set(statuses) == {"completed"}:
            return "completed"
        if self.held:
            return self.held
        for place, phase in enumerate(self.phases):
            dead_end = phase.gated and {"failed", "cancelled"} & set(statuses[:place])
            if phase.status in OPEN and not dead_end:
                return "processing" if any(p.begun for p in self.phases) else "pending"
        return "failed" if "failed" in statuses else "cancelled"

    def closed(self, phase: PaperPhase) -> bool:
        """Return whether the phase refuses reports."""
        over = phase.forced or phase.status in ("failed", "cancelled")
        return over or self.held == "cancelled" or not phase.gate_open

    def require(self, *statuses: str) -> None:
        """Refuse the act in any other state of the job."""
        if self.status not in statuses:
            raise Refused(self.status)
