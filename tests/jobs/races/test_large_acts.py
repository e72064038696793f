"""A restart of a large phase: reports of its own job and of other jobs wait for one portion at most."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event as Signal
from time import monotonic

import pytest
from django.db import connection
from django.utils import timezone

from jobs import operations, watchdog
from jobs.db import bulk_sql
from jobs.models import BulkAct, Item, Job, Phase
from jobs.models.items import digest
from jobs.operations import bulk
from jobs.operations.portions import LARGE
from jobs.rules.pipelines import PhaseSpec
from tests.factories import operator, phase_of, pipeline, tell
from tests.jobs.races.concurrency import threads
from tests.plan import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.full]

log = logging.getLogger(__name__)
ITEMS = size(3 * LARGE, full=1_000_000)
TOGETHER = 20_000
# A portion takes about 0.1 s on a quiet machine; one transaction over all would take 16 s for a million.
LONGEST_WAIT = 3.0


def large_job() -> Job:
    """Make a job of a completed large phase and of a second phase that is worked on."""
    job = pipeline(PhaseSpec(code="items", expected=ITEMS), PhaseSpec(code="other", expected=10**6))
    phase = phase_of(job)
    for start in range(0, ITEMS, TOGETHER):
        keys = [f"k{number}" for number in range(start, min(start + TOGETHER, ITEMS))]
        rows = [(key, digest(key)) for key in keys]
        settled = {"phase": phase.pk, "status": "completed", "attempt": 1, "finished_at": timezone.now()}
        bulk_sql.insert(Item, rows, fields=("key", "key_digest"), constants=settled)
    Phase.objects.filter(pk=phase.pk).update(items_total=ITEMS, done=ITEMS, listed=True, started_at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return job


def reporter(phase: Phase, waits: list[float], over: Signal) -> Callable[[], None]:
    """Return an act that reports one item after the other until the restart is over, and notes the waits."""

    def report() -> None:
        number = 0
        while not over.wait(0.005):
            begun = monotonic()
            assert tell(phase, f"n{number}", "completed").outcome == "applied"
            waits.append(monotonic() - begun)
            number += 1

    return report


def test_reports_of_its_job_and_of_others_wait_for_a_portion_at_most() -> None:
    job, lead, over = large_job(), operator("restart"), Signal()
    own_waits: list[float] = []
    other_waits: list[float] = []
    answered: list[float] = []

    def act() -> None:
        begun = monotonic()
        try:
            assert operations.restart(job, phase="items", actor=lead).changed == ITEMS
            answered.append(monotonic() - begun)
            while bulk.run_bulk_acts(seconds=1):
                continue
        finally:
            over.set()

    with threads(3) as team:
        own = reporter(phase_of(job, "other"), own_waits, over)
        elsewhere = reporter(phase_of(pipeline(PhaseSpec(code="other", expected=10**6))), other_waits, over)
        team.at_once(act, own, elsewhere)
    log.info(
        "answered in %.2f s; longest wait of %d reports of its job %.2f s", answered[0], len(own_waits), max(own_waits)
    )
    log.info("longest wait of %d reports of another job %.2f s", len(other_waits), max(other_waits))
    assert max(*own_waits, *other_waits, *answered) < LONGEST_WAIT
    assert BulkAct.objects.get().changed == phase_of(job).pending_items == ITEMS
    assert not watchdog.recount()
