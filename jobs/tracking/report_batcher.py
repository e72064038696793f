"""The batcher of reports: one writer for all reports that arrive at the same time.

While one request writes, the reports of the others wait. The next writer saves all of them in one transaction. On a
busy job a few large transactions replace a queue of small ones; a single report costs nothing more.

The writer never waits for a job. Reports of a locked job are set apart: one waits for the lock, for a short time, and
a few others for that one. Further ones are refused with JobLocked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Event, Lock
from time import monotonic

from django.db import InterfaceError, OperationalError, connection

from jobs.change import Actor, JobLocked, change_jobs
from jobs.change.lock_waiters import GRACE
from jobs.models import Phase
from jobs.tracking.report import Answer, Batch, accepted, apply_results, report_free
from jobs.tracking.types import Reported, Result

DATABASE_ERRORS = (OperationalError, InterfaceError)
RESULTS_TOGETHER = 2000
# So many reports of one locked job may wait beside the one that waits for its lock.
FOLLOWERS = 4


class _Part(Enum):
    """The task of the thread of a report: none, write for all, or wait for the lock of its job."""

    FOLLOW = auto()
    WRITE = auto()
    WAIT = auto()


@dataclass(slots=True, eq=False)
class _Ticket:
    """One report that waits for its answer or for a task."""

    batch: Batch
    woken: Event = field(default_factory=Event)
    part: _Part = _Part.FOLLOW
    answer: Answer | BaseException | None = None

    def wake(self, part: _Part = _Part.FOLLOW) -> None:
        """Let the thread continue."""
        self.part = part
        self.woken.set()


@dataclass(slots=True)
class _Locked:
    """The reports of a locked job, the first of which waits for the lock."""

    tickets: deque[_Ticket] = field(default_factory=deque)
    since: float = field(default_factory=monotonic)


class ReportBatcher:
    """The reports that wait for the writer of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[_Ticket] = deque()
        self._writing = False
        self._locked: dict[int, _Locked] = {}

    def report(self, batch: Batch) -> Reported:
        """Apply a batch, perhaps in one transaction with those of other threads."""
        ticket = _Ticket(batch)
        with self._lock:
            self._enter(ticket)
        while ticket.answer is None:
            self._wait(ticket)
            if ticket.part is _Part.WRITE:
                self._write()
            elif ticket.part is _Part.WAIT:
                self._write_locked(batch.phase.job_id)
        if isinstance(ticket.answer, Reported):
            return ticket.answer
        raise ticket.answer

    def _enter(self, ticket: _Ticket) -> None:
        locked = self._locked.get(ticket.batch.phase.job_id)
        if locked:
            self._follow(locked, ticket)
            return
        self._waiting.append(ticket)
        if not self._writing:
            self._writing = True
            ticket.wake(_Part.WRITE)

    def _follow(self, locked: _Locked, ticket: _Ticket) -> None:
        if len(locked.tickets) > FOLLOWERS and locked.since + GRACE < monotonic():
            ticket.answer = JobLocked()
            ticket.wake()
        else:
            locked.tickets.append(ticket)

    def _wait(self, ticket: _Ticket) -> None:
        """Wait to be woken. Of a locked job, those behind the first few are refused after a short time."""
        while not ticket.woken.wait(GRACE):
            with self._lock:
                locked = self._locked.get(ticket.batch.phase.job_id)
                crowd = list(locked.tickets)[FOLLOWERS + 1 :] if locked else []
                if locked and ticket in crowd and locked.since + GRACE < monotonic():
                    locked.tickets.remove(ticket)
                    ticket.answer = JobLocked()
                    return
        ticket.woken.clear()

    def _write(self) -> None:
        """Write the first waiting reports, this thread's own one first, then hand over."""
        with self._lock:
            portion = _portion(self._waiting)
        try:
            _answer(portion, report_free)
        finally:
            with self._lock:
                self._hand_over()
                for ticket in portion:
                    self._send_on(ticket)

    def _send_on(self, ticket: _Ticket) -> None:
        """Wake the thread of an answered report; set apart a report whose job was locked."""
        job_id = ticket.batch.phase.job_id
        if ticket.answer is not None:
            ticket.wake()
        elif job_id in self._locked:
            self._follow(self._locked[job_id], ticket)
        else:
            self._locked[job_id] = _Locked(deque([ticket]))
            ticket.wake(_Part.WAIT)

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting[0].wake(_Part.WRITE)
        else:
            self._writing = False

    def _write_locked(self, job_id: int) -> None:
        """Wait for the lock of a job, then write the reports that wait for it."""
        portion: list[_Ticket] = []
        try:
            self._apply_locked(job_id, portion)
        except DATABASE_ERRORS as error:
            self._refuse(job_id, portion, error)
        except Exception as error:
            if portion:
                _answer(portion, _report_waiting)
            else:
                self._refuse(job_id, portion, error)
        except BaseException as error:
            self._refuse(job_id, portion, error)
            raise
        finally:
            self._leave(job_id, portion)

    def _apply_locked(self, job_id: int, portion: list[_Ticket]) -> None:
        with self._lock:
            by = self._locked[job_id].tickets[0].batch.by
        with change_jobs([job_id], by=by) as change:
            with self._lock:
                portion.extend(_portion(self._locked[job_id].tickets))
            answers = apply_results(change, [ticket.batch for ticket in portion])
        for ticket, answer in zip(portion, answers, strict=True):
            ticket.answer = answer

    def _leave(self, job_id: int, portion: list[_Ticket]) -> None:
        """Wake the answered reports, and let the next one that waits for this job wait for the lock."""
        with self._lock:
            for ticket in portion:
                ticket.wake()
            if self._locked[job_id].tickets:
                self._locked[job_id].tickets[0].wake(_Part.WAIT)
            else:
                del self._locked[job_id]

    def _refuse(self, job_id: int, portion: list[_Ticket], error: BaseException) -> None:
        """Answer every report that waits for this job with the error."""
        with self._lock:
            portion.extend(self._locked[job_id].tickets)
            self._locked[job_id].tickets.clear()
        for ticket in portion:
            ticket.answer = error


def _portion(waiting: deque[_Ticket]) -> list[_Ticket]:
    portion: list[_Ticket] = []
    results = 0
    while waiting and (not portion or results < RESULTS_TOGETHER):
        portion.append(waiting.popleft())
        results += len(portion[-1].batch.results)
    return portion


def _answer(tickets: Sequence[_Ticket], write: Callable[[Sequence[Batch]], list[Answer | None]]) -> None:
    """Write these reports in one transaction. If one of them has a defect, halve them until it fails alone.

    If the database is unreachable or a lock was refused, all of them fail: a repetition would wait again.
    """
    try:
        answers = write([ticket.batch for ticket in tickets])
    except DATABASE_ERRORS as error:
        _fail(tickets, error)
    except Exception as error:
        if len(tickets) == 1:
            _fail(tickets, error)
        else:
            middle = len(tickets) // 2
            _answer(tickets[:middle], write)
            _answer(tickets[middle:], write)
    except BaseException as error:
        _fail(tickets, error)
        raise
    else:
        for ticket, answer in zip(tickets, answers, strict=True):
            ticket.answer = answer


def _report_waiting(batches: Sequence[Batch]) -> list[Answer | None]:
    with change_jobs({batch.phase.job_id for batch in batches}, by=batches[0].by) as change:
        return [*apply_results(change, batches)]


def _fail(tickets: Sequence[_Ticket], error: BaseException) -> None:
    for ticket in tickets:
        ticket.answer = error


_batcher = ReportBatcher()


def report(phase: Phase, *, worker: str = "", results: Sequence[Result], leased: bool = True, by: Actor) -> Reported:
    """Apply the results of one worker to items of one phase; each gets its own outcome.

    An unknown key creates the item unless the phase was given a list (then it is `invalid`). An item that starts
    (`processing`) gets the default lease; with `leased` False it has none and is freed by `release` only. WrongState
    where the phase is counted without items. The answer comes after the commit, which reports of other threads may
    share; a caller inside a transaction of its own shares nothing.
    """
    batch = Batch(phase, worker, results, by, leased)
    if connection.in_atomic_block:
        with change_jobs([phase.job_id], by=by) as change:
            return accepted(apply_results(change, [batch])[0])
    return _batcher.report(batch)
