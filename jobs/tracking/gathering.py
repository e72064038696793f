"""One writer for the reports of a moment.

While one request writes, the reports of the others gather; whoever writes next takes all of them
into one transaction. On a hot job this replaces a queue of transactions by a few large ones, and
costs nothing when there is only one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from django.db import connection

from jobs.change import Actor
from jobs.models import Phase
from jobs.tracking.inputs import Reported, Result
from jobs.tracking.reporting import Batch, report_many

RESULTS_TOGETHER = 2000


@dataclass(slots=True)
class _Ticket:
    """One waiting report: woken either with its answer or to write for those behind it."""

    batch: Batch
    woken: Event = field(default_factory=Event)
    answer: Reported | None = None
    error: BaseException | None = None
    leads: bool = False


class Gathering:
    """Reports that wait for the writer of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[_Ticket] = deque()
        self._writing = False

    def report(self, batch: Batch) -> Reported:
        """Like `tracking.report`, perhaps in one transaction with the reports of other threads."""
        ticket = _Ticket(batch)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads, self._writing = not self._writing, True
        if not ticket.leads:
            ticket.woken.wait()
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.answer is not None
        return ticket.answer

    def _lead(self) -> None:
        """Write one portion of what waits, this thread's own ticket first, then hand over."""
        portion = self._portion()
        try:
            _write(portion)
        except BaseException as error:
            for ticket in portion:
                ticket.error = ticket.error or error
            raise
        finally:
            self._hand_over()
            for ticket in portion[1:]:
                ticket.woken.set()

    def _portion(self) -> list[_Ticket]:
        portion: list[_Ticket] = []
        results = 0
        with self._lock:
            while self._waiting and (not portion or results < RESULTS_TOGETHER):
                portion.append(self._waiting.popleft())
                results += len(portion[-1].batch.results)
        return portion

    def _hand_over(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].woken.set()
            else:
                self._writing = False


def _write(tickets: Sequence[_Ticket]) -> None:
    """One transaction for all; if any of them is refused, one for each."""
    try:
        answers = report_many([ticket.batch for ticket in tickets])
    except Exception as error:
        if len(tickets) == 1:
            tickets[0].error = error
        else:
            for ticket in tickets:
                _write([ticket])
        return
    for ticket, answer in zip(tickets, answers, strict=True):
        ticket.answer = answer


_gathering = Gathering()


def report(phase: Phase, *, worker: str = "", results: Sequence[Result], leased: bool = True, by: Actor) -> Reported:
    """Apply the results of one worker to items of one phase; each gets its own outcome.

    An unknown key creates the item unless the phase was given a list (then it is `invalid`). What is begun
    (`processing`) gets the default lease; with `leased` False it has none and is freed by `release` only.
    WrongState where the phase is counted without items. The answer comes after the commit, which
    reports of other threads may share; a caller inside a transaction of its own shares nothing.
    """
    batch = Batch(phase, worker, results, by, leased)
    if connection.in_atomic_block:
        return report_many([batch])[0]
    return _gathering.report(batch)
