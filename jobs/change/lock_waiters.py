"""Limits of the threads that wait for the lock of a job.

A long transaction on one job must not stop the work on other jobs. A waiting thread serves no other request, so only a
few threads of a process wait for the lock of one job. The others are refused at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from django.db import OperationalError

WAITING_FOR_ONE = 3
WAITING_IN_ALL = 8
# Seconds for which a thread may wait for a place among the waiting ones; most locks are held for milliseconds.
GRACE = 1.0
DEADLOCKS = ("40P01", "40001")  # deadlock, serialization failure
LOCKED = ("55P03", *DEADLOCKS)  # lock not available


class JobLocked(OperationalError):
    """Another transaction holds the job, and enough threads wait for it already (REST 503 with Retry-After)."""

    def __init__(self) -> None:
        super().__init__("The job is locked by a long transaction; try again in a few seconds.")


def is_locked(error: OperationalError) -> bool:
    """Return whether the error is a lock of another transaction. No other error goes away by waiting."""
    return getattr(error.__cause__, "sqlstate", None) in LOCKED or "locked" in str(error)


def is_deadlock(error: OperationalError) -> bool:
    """Return whether the database rolled the transaction back in favour of another one; repeat it at once."""
    return getattr(error.__cause__, "sqlstate", None) in DEADLOCKS


class Waiters:
    """The threads of this process that wait for the lock of a job."""

    def __init__(self) -> None:
        self._room = Condition()
        self._since: dict[int, list[float]] = defaultdict(list)

    @contextmanager
    def waiting(self, job_id: int) -> Iterator[None]:
        """Count this thread among the waiting ones, or raise JobLocked where there are enough."""
        begun = self._enter(job_id)
        try:
            yield
        finally:
            self._leave(job_id, begun)

    def _enter(self, job_id: int) -> float:
        arrived = monotonic()
        with self._room:
            while not self._has_room(job_id):
                first = min(self._since.get(job_id, [arrived]))
                left = first + GRACE - monotonic()
                if left <= 0:
                    raise JobLocked
                self._room.wait(left)
            begun = monotonic()
            self._since[job_id].append(begun)
        return begun

    def _leave(self, job_id: int, begun: float) -> None:
        with self._room:
            self._since[job_id].remove(begun)
            if not self._since[job_id]:
                del self._since[job_id]
            self._room.notify_all()

    def _has_room(self, job_id: int) -> bool:
        here = len(self._since.get(job_id, ()))
        return here < WAITING_FOR_ONE and sum(map(len, self._since.values())) < WAITING_IN_ALL


waiters = Waiters()
