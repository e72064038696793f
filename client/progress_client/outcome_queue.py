"""Queue of outcomes: the next batch, its size and time, and overdue outcomes. Pure: the caller passes the time."""

from __future__ import annotations

from dataclasses import dataclass, field

from progress_client.buffer import MOST_RESULTS, Address, Buffer, Outcome, Portion
from progress_client.retry_schedule import RetrySchedule

ENOUGH = 100
OLDEST_SECONDS = 1.0
BREATH = 3
# Longest wait of a claim for outcomes that cannot be sent.
OVERDUE_WAIT_SECONDS = 30.0


@dataclass
class OutcomeQueue:
    """The buffer, the pauses after failures, and the one batch in flight."""

    failures: int = 0
    _buffer: Buffer = field(default_factory=Buffer)
    _schedule: RetrySchedule = field(default_factory=RetrySchedule)
    _under_way: Portion | None = None
    _taken_at: float = 0.0
    _oldest_at: float = 0.0
    _not_before: float = 0.0
    _since: dict[Address, float] = field(default_factory=dict)
    _most: dict[Address, int] = field(default_factory=dict)

    def add(self, outcome: Outcome, *, now: float, since: float) -> bool:
        """Append an outcome; True if that changes the time of the next request."""
        if not self._buffer.size:
            self._oldest_at = now
        self._since[outcome.address] = min(since, self._since.get(outcome.address, since))
        self._buffer.add(outcome)
        return self._buffer.size in (1, ENOUGH)

    def number(self, job: int | None) -> int:
        """Count the unconfirmed outcomes of a job, or of all jobs for None."""
        sent = self._under_way
        on_the_way = len(sent.outcomes) if sent and job in (None, sent.address.job) else 0
        return self._buffer.number(job) + on_the_way

    def due_at(self, *, hurried: bool) -> float | None:
        """Return the time of the next request; None if nothing waits.

        The pause after a request is proportional to its duration, so that a busy server gets fewer and larger requests.
        """
        if not self._buffer.size:
            return None
        ready_at = self._schedule.ready_at(self._buffer.addresses())
        if hurried or self._buffer.size >= MOST_RESULTS:
            return ready_at
        return max(ready_at, self._not_before if self._buffer.size >= ENOUGH else self._oldest_at + OLDEST_SECONDS)

    def take(self, *, now: float) -> Portion | None:
        """Take the next batch; None if no address is ready."""
        address = self._schedule.ready(self._buffer.addresses(), now=now)
        if address is None:
            return None
        self._taken_at = self._oldest_at = now
        self._under_way = self._buffer.portion(address, most=self._most.get(address, MOST_RESULTS))
        return self._under_way

    def settled(self, portion: Portion, *, now: float) -> None:
        """Record that the site has confirmed a batch."""
        address, most = portion.address, self._most.pop(portion.address, MOST_RESULTS)
        self._under_way = None
        self._not_before = now + BREATH * (now - self._taken_at)
        self._schedule.succeeded(address, now=now)
        self._since.pop(address, None)
        if address in self._buffer:
            self._since[address] = self._taken_at
            self._most[address] = min(MOST_RESULTS, 2 * most)

    def failed(self, portion: Portion, *, retry_after: float, status: int, now: float) -> float:
        """Record a failed request; return the seconds until its retry."""
        self.put_back(portion)
        self.failures += 1
        return self._schedule.failed(portion.address, retry_after=retry_after, status=status, now=now)

    def too_large(self, portion: Portion) -> None:
        """Return a batch to the queue and halve the batch size of its address."""
        self.put_back(portion)
        self._most[portion.address] = max(1, len(portion.outcomes) // 2)

    def put_back(self, portion: Portion) -> None:
        """Return a batch to the front of its address."""
        self._under_way = None
        self._buffer.put_back(portion)

    def wake(self, job: int | None) -> None:
        """Allow a retry of a job (None: all jobs) now, unless the server asked for a longer pause."""
        self._schedule.wake(job)

    def must_wait(self, *, now: float) -> bool:
        """Check that nothing is in flight and nothing may be sent now."""
        return not self._under_way and self._schedule.ready_at(self._buffer.addresses()) > now

    def is_overdue(self, job: int | None, *, older_than: float, now: float) -> bool:
        """Check whether outcomes of a job (None: any job) have waited `older_than` seconds, or failed.

        An address that has failed for 30 seconds while the server answered for other addresses does not count.
        """
        return any(
            (since <= now - older_than or self._schedule.is_paused(address))
            and not self._schedule.is_stuck(address, longer_than=OVERDUE_WAIT_SECONDS, now=now)
            for address, since in self._since.items()
            if job in (None, address.job)
        )
