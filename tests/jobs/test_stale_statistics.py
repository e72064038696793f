"""Reads of calls on a large phase that is newer than the statistics of PostgreSQL's planner.

The planner expects no items in such a phase, so an index over the whole phase looks as good as the one that finds a
single item. The tests check the number of rows and index entries that a call reads, not a plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.models import Item, Job, Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Result
from tests.factories import WORKER, make_job, new_items, phase_of, pipeline
from tests.jobs.races.concurrency import fresh

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

Act = Callable[[], Any]
FILLER = 6000
NAMED = 300
# Reads of a call that is about NAMED items at most, each of them read several times. All items of the phase are more.
FEW = 10 * NAMED
READ = """
    SELECT COALESCE(SUM(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)), 0)
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE COALESCE(i.indrelid, c.oid) = 'jobs_item'::regclass
"""
FILL = """
    INSERT INTO jobs_item (phase_id, key, key_digest, label, split, payload, status, attempt, tries, worker, error,
                           signature, result, checksum, lease_seconds, lease_expires_at, finished_at)
    SELECT %(phase)s, 'f' || n, md5(%(phase)s || '/' || n), '', '', %(payload)s, %(status)s, 0, 0, %(worker)s,
           %(error)s, %(error)s, '{}', '', NULL,
           CASE WHEN %(status)s = 'processing' THEN now() + interval '1 hour' END,
           CASE WHEN %(status)s IN ('completed', 'failed') THEN now() END
    FROM generate_series(1, %(number)s) AS n
"""
COUNTERS = {"completed": "done", "failed": "failed", "processing": "processing"}


def read() -> int:
    """Return the number of rows and index entries of items that this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return int(cursor.fetchone()[0])


def fill(phase: Phase, status: str, number: int = FILLER) -> None:
    """Put that many items of one status into a phase, and into its counters."""
    error = "It is broken." if status == "failed" else ""
    worker = "w9" if status == "processing" else ""
    payload = json.dumps({"wide": "x" * 1400})  # few rows to a page, so that reading all of them looks expensive
    values = {"phase": phase.pk, "status": status, "number": number, "error": error, "worker": worker}
    with connection.cursor() as cursor:
        cursor.execute(FILL, {**values, "payload": payload})
    counts = {"items_total": Phase.objects.get(pk=phase.pk).items_total + number}
    if status in COUNTERS:
        counts[COUNTERS[status]] = getattr(Phase.objects.get(pk=phase.pk), COUNTERS[status]) + number
    Phase.objects.filter(pk=phase.pk).update(listed=True, **counts)


def analyze() -> None:
    """Update the planner's statistics."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_item")


def no_items() -> None:
    """Let the planner expect a new and empty table. Pages of earlier tests would mislead it."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_item CASCADE")
    analyze()


def only_completed_items() -> None:
    """Let the planner expect that every item is completed and belongs to one of two jobs."""
    no_items()
    for _ in range(2):
        fill(phase_of(make_job(items=1)), "completed", 3000)
    Item.objects.update(status="completed")
    analyze()


def many_small_jobs() -> None:
    """Let the planner expect jobs of ten items in every state, which share their keys."""
    no_items()
    for status in ("completed", "failed", "pending"):
        job = pipeline(*[PhaseSpec(code=f"p{n}") for n in range(20)])
        for phase in job.phases.all():
            tracking.add_items(phase, items=new_items(10), by=WORKER)
        Item.objects.filter(phase__job=job).update(status=status)
    analyze()


STATUSES = ["pending", "completed", "failed", "processing"]
HISTORIES = [no_items, only_completed_items, many_small_jobs]


def large(status: str) -> Phase:
    """Make a phase newer than the statistics: many items of one status, a few named ones before and behind them."""
    job = make_job(items=NAMED)
    fill(phase_of(job), status)
    tracking.add_items(phase_of(job), items=new_items(NAMED, start=NAMED), by=WORKER)
    return fresh(job)


def report(phase: Phase, *, start: int = 0, status: str = "completed") -> Act:
    """Report a hundred items."""
    results = [Result(f"k{n}", status, error="no") for n in range(start, start + 100)]
    return partial(tracking.report, phase, worker="w1", results=results, by=WORKER)


def ids(phase: Phase, status: str, number: int = 100) -> list[int]:
    """Return the ids of named items of this status."""
    return list(phase.items.filter(status=status, key__startswith="k").values_list("pk", flat=True)[:number])


def of_workers(phase: Phase) -> list[tuple[str, Act]]:
    """Return the calls that workers repeat all day."""
    claim = partial(tracking.claim, phase, worker="w1", limit=100, by=WORKER)
    claim_any = partial(tracking.claim_any, worker="w2", phase="items", limit=100, by=WORKER)
    return [
        ("report", report(phase)),
        ("the same report again", report(phase)),
        ("report of failures", report(phase, start=100, status="failed")),
        ("claim", claim),
        ("claim of any job", claim_any),
        ("heartbeat", partial(tracking.heartbeat, phase.job, worker="w1", by=WORKER)),
        ("report of what is held", report(phase, start=200)),
        ("new items", partial(tracking.add_items, phase, items=new_items(100, start=5000), by=WORKER)),
        ("items that are there", partial(tracking.add_items, phase, items=new_items(100), by=WORKER)),
    ]


def cost(act: Act) -> int:
    """Return the number of reads of an act."""
    before = read()
    act()
    return read() - before


def expensive(acts: list[tuple[str, Act]]) -> dict[str, int]:
    """Return the acts that read more than a few items, with their numbers."""
    costs = {name: cost(act) for name, act in acts}
    return {name: items for name, items in costs.items() if items > FEW}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
@pytest.mark.parametrize("status", STATUSES)
def test_what_workers_do_reads_only_their_items(history: Act, status: str) -> None:
    history()
    assert expensive(of_workers(large(status))) == {}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
@pytest.mark.parametrize("status", STATUSES)
def test_an_act_on_named_items_reads_only_these(history: Act, status: str) -> None:
    history()
    phase = large(status)
    report(phase, status="failed")()
    report(phase, start=100, status="processing")()
    Item.objects.filter(pk__in=ids(phase, "processing")).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    held, failed = ids(phase, "processing"), ids(phase, "failed")
    job = Job.objects.get(pk=phase.job_id)
    acts = [
        ("release", partial(operations.release, job, items=held, actor=None)),
        ("skip", partial(operations.skip, job, items=failed[:50], actor=None)),
        ("retry", partial(operations.retry, job, items=failed[50:], actor=None)),
    ]
    # The watchdog may look at everything that is held. Among many small jobs a scan of this small table may cost as
    # little as the index, depending on what earlier tests have left behind.
    if status != "processing" and history is not many_small_jobs:
        acts.append(("expiry", watchdog.expire_leases))
    assert expensive(acts) == {}


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
@pytest.mark.parametrize("status", ["pending", "completed"])
def test_a_page_of_items_reads_only_its_own(admin_client: Client, history: Act, status: str) -> None:
    history()
    phase = large(status)
    report(phase, status="failed")()
    [last] = phase.items.filter(status=status).order_by("-pk").values_list("pk", flat=True)[:1]
    middle = last - NAMED - FILLER // 2
    items = f"/api/v1/jobs/{phase.job_id}/phases/items/items?limit=50"
    job = f"/admin/jobs/job/{phase.job_id}/"
    addresses = [
        job,
        *[f"{job}?phase=items&status={name}" for name in ("pending", "failed", "completed", "processing")],
        f"{job}?phase=items&after={status}-{middle}",
        f"{job}?phase=items&before={status}-{middle}",
        *[f"{items}&status={name}" for name in ("pending", "failed", "completed", "processing")],
    ]
    if history is not no_items:  # where so few items are all that the planner knows of, it may sort them
        addresses.append(items)
    assert {address: code for address in addresses if (code := admin_client.get(address).status_code) != 200} == {}
    assert expensive([(address, partial(admin_client.get, address)) for address in addresses]) == {}
