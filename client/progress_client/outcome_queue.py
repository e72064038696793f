"""Outcomes that wait: which of them go next, how many, when, and which are late. Pure: the clock is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from progress_client.buffer import MOST_RESULTS, Address, Buffer, Outcome, Portion
from progress_client.retry_schedule import RetrySchedule

ENOUGH = 100
OLDEST_SECONDS = 1.0
BREATH = 3
# So long a claim waits for outcomes that do not arrive.
TELL_FIRST_SECONDS = 30.0


@dataclass
class OutcomeQueue:
    """The buffer, the rests after failures, and the one portion that is under way."""

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
        """Put an outcome at the end; whether that changes when the next call is due."""
        if not self._buffer.size:
            self._oldest_at = now
        self._since[outcome.address] = min(since, self._since.get(outcome.address, since))
        self._buffer.add(outcome)
        return self._buffer.size in (1, ENOUGH)

    def number(self, job: int | None) -> int:
        """How many outcomes of a job (None: of all) have no answer yet."""
        sent = self._under_way
        on_the_way = len(sent.outcomes) if sent and job in (None, sent.address.job) else 0
        return self._buffer.number(job) + on_the_way

    def due_at(self, *, hurried: bool) -> float | None:
        """When the next call is due; None while nothing waits.

        After a call there is a pause in proportion to what it took, so that a busy server gets fewer and larger ones.
        """
        if not self._buffer.size:
            return None
        ready_at = self._schedule.ready_at(self._buffer.addresses())
        if hurried or self._buffer.size >= MOST_RESULTS:
            return ready_at
        return max(ready_at, self._not_before if self._buffer.size >= ENOUGH else self._oldest_at + OLDEST_SECONDS)

    def take(self, *, now: float) -> Portion | None:
        """The outcomes of the next call; None where none may be tried now."""
        address = self._schedule.ready(self._buffer.addresses(), now=now)
        if address is None:
            return None
        self._taken_at = self._oldest_at = now
        self._under_way = self._buffer.portion(address, most=self._most.get(address, MOST_RESULTS))
        return self._under_way

    def settled(self, portion: Portion, *, now: float) -> None:
        """These are answered for."""
        address, most = portion.address, self._most.pop(portion.address, MOST_RESULTS)
        self._under_way = None
        self._not_before = now + BREATH * (now - self._taken_at)
        self._schedule.succeeded(address, now=now)
        self._since.pop(address, None)
        if address in self._buffer:
            self._since[address] = self._taken_at
            self._most[address] = min(MOST_RESULTS, 2 * most)

    def failed(self, portion: Portion, *, asked: float, status: int, now: float) -> float:
        """These got no answer; the seconds until they are tried again."""
        self.put_back(portion)
        self.failures += 1
        return self._schedule.failed(portion.address, asked=asked, status=status, now=now)

    def too_large(self, portion: Portion) -> None:
        """These are to go half as many at a time."""
        self.put_back(portion)
        self._most[portion.address] = max(1, len(portion.outcomes) // 2)

    def put_back(self, portion: Portion) -> None:
        """These wait again, before all others of their address."""
        self._under_way = None
        self._buffer.put_back(portion)

    def wake(self, job: int | None) -> None:
        """Outcomes of a job (None: of all) are tried now, unless the server has asked to be left alone."""
        self._schedule.wake(job)

    def must_rest(self, *, now: float) -> bool:
        """Whether nothing is under way and nothing may be tried now."""
        return not self._under_way and self._schedule.ready_at(self._buffer.addresses()) > now

    def is_late(self, job: int | None, *, older_than: float, now: float) -> bool:
        """Whether outcomes of a job (None: of any) wait for so long, or after a failure.

        An address that has failed for half a minute while the server answered for others does not count.
        """
        return any(
            (since <= now - older_than or self._schedule.is_resting(address))
            and not self._schedule.is_stuck(address, longer_than=TELL_FIRST_SECONDS, now=now)
            for address, since in self._since.items()
            if job in (None, address.job)
        )
