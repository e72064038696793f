"""Threads that act at the same moment, and the facts that must hold in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from threading import Event as Signal
from time import monotonic, sleep
from typing import Any

from django.db import connections, transaction
from django.db.models import Count

from jobs.models import Event, Job, Phase
from jobs.rules.errors import Refused
from jobs.tracking import Reported

Act = Callable[[], Any]
COUNTERS = {"completed": "done", "failed": "failed", "skipped": "skipped", "processing": "processing"}


class ThreadTeam:
    """Threads with a connection each that begin their acts together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._barrier = Barrier(size)
        self._threads = ThreadPoolExecutor(size)

    def at_once(self, *acts: Act) -> list[Any]:
        """Run the acts together and return their answers; a refusal is an answer, other errors are raised."""
        assert len(acts) == self._size
        return [one.result() for one in [self._threads.submit(self._act, act) for act in acts]]

    def _act(self, act: Act) -> Any:
        self._barrier.wait(timeout=60)
        try:
            return act()
        except Refused as refusal:
            return refusal

    def leave(self) -> None:
        """Close every thread's connection, then the threads."""
        self.at_once(*[connections.close_all] * self._size)
        self._threads.shutdown()


@contextmanager
def threads(size: int) -> Iterator[ThreadTeam]:
    """Provide threads, and end them after the test."""
    team = ThreadTeam(size)
    try:
        yield team
    finally:
        team.leave()


def fresh(job: Job, code: str = "") -> Phase:
    """Return the phase from the database, with its job, so that a thread begins with the call itself."""
    phases = Phase.objects.select_related("job").filter(job=job).order_by("position")
    return phases.get(code=code) if code else phases[0]


def completed_events(phase: Phase) -> list[Event]:
    """Return the completed events of the phase's current run."""
    return list(Event.objects.filter(phase=phase, run=phase.run, type=f"{phase.code}.completed", outward=True))


def assert_whole(job: Job) -> Phase:
    """Check that counters equal items, with one completed event per completed run; return the first phase."""
    for phase in job.phases.all():
        if not phase.counted:
            numbers = dict(phase.items.order_by().values_list("status").annotate(number=Count("pk")))
            assert {name: getattr(phase, name) for name in COUNTERS.values()} == {
                name: numbers.get(status, 0) for status, name in COUNTERS.items()
            }
            assert phase.items_total == sum(numbers.values())
        assert len(completed_events(phase)) == phase.is_completed
    return fresh(job)


def outcomes(answers: list[Reported]) -> list[str]:
    """Return the outcome of every result of these reports, in alphabetical order."""
    return sorted(str(one.outcome) for answer in answers for one in answer.results)


@contextmanager
def locked(job: Job) -> Iterator[Signal]:
    """Lock a job in a transaction of another connection, until the end or until the signal is set."""
    held, free = Signal(), Signal()

    def hold() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=job.pk)
            held.set()
            free.wait(30)
        connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(hold)
        assert held.wait(10)
        try:
            yield free
        finally:
            free.set()
            done.result()


def until(fact: Callable[[], bool]) -> None:
    """Wait for a state that threads bring about."""
    end = monotonic() + 10
    while not fact():
        assert monotonic() < end
        sleep(0.005)
