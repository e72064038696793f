"""The writer of a process: one thread that makes all waiting calls of workers in one transaction.

While it commits, further calls arrive; they share its next transaction. So a busy job costs a few large transactions
instead of a queue of small ones, and a single call waits for nothing. Every call is answered after the commit.

The writer never waits for a job. Calls to a locked job are set apart, and a thread of a small pool waits for its lock.
Beyond MOST_WAITING calls, or MOST_BYTES of them, a call is refused at once, so that memory stays flat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Thread

import structlog
from django.db import InterfaceError, OperationalError, connection

from jobs.change import Actor, JobLocked, change_free, change_jobs
from jobs.change.lock_waiters import WAITING_IN_ALL, is_deadlock
from jobs.models import Job
from jobs.tracking.apply_calls import answers_without_lock, apply
from jobs.tracking.calls import Answer, Call, ClaimCall
from jobs.tracking.types import Claimed

log = structlog.get_logger(__name__)

DATABASE_ERRORS = (OperationalError, InterfaceError)
RESULTS_TOGETHER = 2000
CALLS_TOGETHER = 200
MOST_WAITING = 4096
MOST_BYTES = 32 * 1024 * 1024
IDLE_SECONDS = 1.0
SYSTEM = Actor()

Answered = list[tuple[Call, Answer]]
Deliver = Callable[[Answered], None]


class Busy(OperationalError):
    """Too many calls wait for the writer (REST 503 with Retry-After)."""

    def __init__(self) -> None:
        super().__init__("Too many calls wait; try again in a few seconds.")


class Writer:
    """The calls that wait for the writer of this process. `deliver` gets them with their answers, in its thread."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._wake = Condition()
        self._waiting: deque[Call] = deque()
        self._locked: dict[int, deque[Call]] = {}
        self._empty: set[tuple[int, str]] = set()  # phases whose latest claim gave nothing
        self._sizes: dict[Call, int] = {}
        self._bytes = 0
        self._thread: Thread | None = None
        self._pool = ThreadPoolExecutor(WAITING_IN_ALL, thread_name_prefix="locked-job")

    def submit(self, call: Call, *, size: int) -> None:
        """Let a call, whose body has `size` bytes, wait for its transaction; Busy where too many wait already."""
        with self._wake:
            if len(self._sizes) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
                raise Busy
            self._sizes[call] = size
            self._bytes += size
            self._waiting.append(call)
            self._start()
            self._wake.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        """Write until no call has come for a while; the next one starts another thread."""
        try:
            while portion := self._next():
                self._answer(portion, self._write)
        finally:
            connection.close()

    def _next(self) -> list[Call]:
        """Wait for calls and take the first ones, without those of locked jobs; none where the thread is to end."""
        with self._wake:
            portion = _portion(self._waiting, locked=self._locked)
            while not portion:
                is_idle = not self._wake.wait(IDLE_SECONDS)
                portion = _portion(self._waiting, locked=self._locked)  # a call may have come after all
                if is_idle and not portion:
                    self._thread = None
                    break
            return portion

    def _answer(self, calls: Sequence[Call], write: Callable[[Sequence[Call]], Answered]) -> None:
        """Make these calls in one transaction. If one of them has a defect, halve them until it fails alone.

        If the database is unreachable or a lock was refused, all of them fail: a repetition would wait again.
        """
        try:
            answered = _without_deadlock(write, calls)
        except DATABASE_ERRORS as error:
            connection.close()
            answered = [(call, error) for call in calls]
        except Exception as error:
            if len(calls) > 1:
                middle = len(calls) // 2
                self._answer(calls[:middle], write)
                self._answer(calls[middle:], write)
                return
            answered = [(calls[0], error)]
        self._send(answered)

    def _send(self, answered: Answered) -> None:
        with self._wake:
            for call, _ in answered:
                self._bytes -= self._sizes.pop(call, 0)
        try:
            self._deliver(answered)
        except Exception:
            log.exception("answers_not_delivered")

    # --- jobs that are free ----------------------------------------------------------------------

    def _write(self, calls: Sequence[Call]) -> Answered:
        """Make those calls whose jobs no other transaction has locked, and set the others apart."""
        known = answers_without_lock(calls, claims=lambda call: (call.job_id, call.code) in self._empty)
        writing = [call for call in calls if call not in known]
        answered = self._write_free(writing) if writing else []
        self._remember_empty(answered)
        return [*known.items(), *answered]

    def _remember_empty(self, answered: Answered) -> None:
        """Remember the phases that gave nothing. Their next claim looks first, and takes no lock while that is so."""
        for call, answer in answered:
            if isinstance(call, ClaimCall) and isinstance(answer, Claimed):
                (self._empty.discard if answer.items else self._empty.add)((call.job_id, call.code))
        if len(self._empty) > MOST_WAITING:
            self._empty.clear()

    def _write_free(self, calls: Sequence[Call]) -> Answered:
        wanted = set[int]().union(*(call.job_ids() for call in calls))
        with change_free(wanted, by=SYSTEM) as change:
            locked = _existing(wanted - change.jobs.keys())
            free = [call for call in calls if call.job_id not in locked]
            answers = apply(change, free)
        for call in calls:
            if call.job_id in locked:
                self._set_apart(call)
        return list(zip(free, answers, strict=True))

    def _set_apart(self, call: Call) -> None:
        with self._wake:
            if call.job_id in self._locked:
                self._locked[call.job_id].append(call)
                return
            if len(self._locked) < WAITING_IN_ALL:
                self._locked[call.job_id] = deque([call])
                self._pool.submit(self._wait_for, call.job_id)
                return
        self._send([(call, JobLocked())])

    # --- jobs that another transaction has locked ------------------------------------------------

    def _wait_for(self, job_id: int) -> None:
        """Wait for the lock of a job, then make the calls that wait for it; in a thread of the pool."""
        try:
            while self._locked_calls(job_id):
                self._write_locked(job_id)
        finally:
            connection.close()

    def _locked_calls(self, job_id: int) -> bool:
        with self._wake:
            if self._locked[job_id]:
                return True
            del self._locked[job_id]
            return False

    def _write_locked(self, job_id: int) -> None:
        portion: list[Call] = []
        try:
            with change_jobs([job_id], by=SYSTEM) as change:
                portion += self._take(job_id)
                answers = apply(change, portion)
            self._send(list(zip(portion, answers, strict=True)))
        except DATABASE_ERRORS as error:
            self._send([(call, error) for call in (*portion, *self._take(job_id, every=True))])
        except Exception as error:
            if portion:
                self._answer(portion, _write_waiting)
            else:
                self._send([(call, error) for call in self._take(job_id, every=True)])

    def _take(self, job_id: int, *, every: bool = False) -> list[Call]:
        with self._wake:
            waiting = self._locked[job_id]
            portion = list(waiting) if every else _portion(waiting)
            if every:
                waiting.clear()
            return portion


def _without_deadlock(write: Callable[[Sequence[Call]], Answered], calls: Sequence[Call]) -> Answered:
    """Write, and write again where the database has rolled the transaction back to end a deadlock."""
    try:
        return write(calls)
    except OperationalError as error:
        if not is_deadlock(error):
            raise
        return write(calls)


def _portion(waiting: deque[Call], locked: dict[int, deque[Call]] | None = None) -> list[Call]:
    """Take the first calls of a queue; those to a locked job go into the queue of this job."""
    portion: list[Call] = []
    results = 0
    while waiting and len(portion) < CALLS_TOGETHER and (not portion or results < RESULTS_TOGETHER):
        call = waiting.popleft()
        if locked and call.job_id in locked:
            locked[call.job_id].append(call)
        else:
            portion.append(call)
            results += call.size
    return portion


def _existing(job_ids: Iterable[int]) -> set[int]:
    """Return which of these jobs exist."""
    wanted = set(job_ids)
    return set(Job.objects.filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()


def _write_waiting(calls: Sequence[Call]) -> Answered:
    with change_jobs({call.job_id for call in calls}, by=SYSTEM) as change:
        return list(zip(calls, apply(change, calls), strict=True))
