"""Transactions that change jobs: of existing jobs, of those that are free, of a new one, and of several changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from jobs.change.commit import commit_changes, write_counts, write_events
from jobs.change.job_change import Actor, Change, Postponed
from jobs.incidents import write_moves
from jobs.models import Job, Phase
from jobs.rules.errors import NotFound

# The rows that the unit of work that is open in this thread writes at its end.
_postponed: ContextVar[Postponed | None] = ContextVar("postponed", default=None)


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Make several changes in one transaction, and write their events and the moves between incidents at its end.

    Incidents are locked after jobs, and the next change locks further jobs.
    Event ids come last: a long transaction that has taken ids keeps later events out of the feed. On SQLite it
    also keeps every other writer of events waiting.
    """
    with transaction.atomic():
        if _postponed.get() is not None:
            yield
            return
        postponed = Postponed()
        token = _postponed.set(postponed)
        try:
            yield
        finally:
            _postponed.reset(token)
        for moves, now in postponed.moves:
            write_moves(moves, now=now)
        write_counts(postponed.counts)
        write_events(postponed.events)


@contextmanager
def change_jobs(
    job_ids: Iterable[int], *, by: Actor, reason: str = "", now: datetime | None = None, lock_timeout: str = ""
) -> Iterator[Change]:
    """Lock these jobs, yield the change, and commit it; all or nothing. A missing job is NotFound.

    The clock is read after the lock was won, so that times never run against the order of changes.
    """
    wanted = set(job_ids)
    with transaction.atomic():
        change = Change(by=by, reason=reason, postponed=_postponed.get())
        change.lock(wanted, lock_timeout=lock_timeout)
        change.now = now or timezone.now()
        if len(change.jobs) != len(wanted):
            raise NotFound("This job no longer exists.")
        yield change
        commit_changes(change)


@contextmanager
def change_free(job_ids: Iterable[int], *, by: Actor, now: datetime | None = None) -> Iterator[Change]:
    """Lock those of these jobs that no other transaction holds, yield the change, and commit it.

    `change.jobs` has the locked ones.
    """
    with transaction.atomic():
        change = Change(by=by, postponed=_postponed.get())
        change.lock_free(job_ids)
        change.now = now or timezone.now()
        yield change
        commit_changes(change)


@contextmanager
def change_new(job: Job, phases: Iterable[Phase], *, by: Actor, now: datetime) -> Iterator[Change]:
    """Yield and commit a change of a job that the caller's transaction has inserted, and that needs no lock."""
    change = Change(by=by, now=now, postponed=_postponed.get())
    change.attach([job], phases)
    yield change
    commit_changes(change)
