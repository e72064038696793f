"""The cost of workers' calls in SQL: the same for one item and for thousands, and never a count of items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from threading import Event as Signal
from threading import Thread
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.db import bulk_sql
from jobs.models import Item, Job, Phase
from jobs.models.items import digest
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Deadlines, NewItem, Result
from tests.factories import WORKER, make_job, new_items, phase_of
from tests.jobs.races.concurrency import fresh
from tests.plan import size

Act = Callable[[], Any]
MANY = size(20_000, full=200_000)
_numbers = count(1)


def statements(act: Act) -> list[str]:
    """Return the SQL that this act runs."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return [query["sql"] for query in captured]


def job_of(*, items: int | None, phases: int) -> Job:
    """Make a job with so many phases, the first of which has so many items."""
    specs = [PhaseSpec(code=f"p{n}") for n in range(phases)]
    name = f"pins-{next(_numbers)}"
    listed = None if items is None else new_items(items)
    return tracking.create_job(name=name, phases=specs, items=listed, by=WORKER).job


def begun(job: Job) -> Phase:
    """Return its first phase after a first report, so that only the repeated cost is measured."""
    tracking.report(phase_of(job), worker="w1", results=[Result("k0", "completed")], by=WORKER)
    tracking.announce(phase_of(job), expected=10**6, event_id=uuid4(), by=WORKER)
    return fresh(job)


def report(phase: Phase, number: int) -> Act:
    """Report `number` items of the phase as completed."""
    results = [Result(f"k{n}", "completed") for n in range(1, number + 1)]
    return partial(tracking.report, phase, worker="w1", results=results, by=WORKER)


def report_with_failures(phase: Phase, number: int) -> Act:
    """Report `number` items of the phase, every second one as failed."""
    results = [Result(f"k{n}", ("failed", "completed")[n % 2], error="no") for n in range(1, number + 1)]
    return partial(tracking.report, phase, worker="w1", results=results, by=WORKER)


def add_items(phase: Phase, number: int) -> Act:
    """Add `number` new items."""
    return partial(tracking.add_items, phase, items=new_items(number, start=50_000), by=WORKER)


def claim(phase: Phase, number: int) -> Act:
    """Take up to `number` items."""
    return partial(tracking.claim, phase, worker="w1", limit=number, by=WORKER)


def heartbeat(phase: Phase, number: int) -> Act:
    """Renew up to `number` leases."""
    tracking.claim(phase, worker="w1", limit=number, by=WORKER)
    return partial(tracking.heartbeat, phase.job, worker="w1", message="alive", by=WORKER)


def announce(phase: Phase, number: int) -> Act:
    """Announce another total."""
    return partial(tracking.announce, phase, expected=10**6 + number, event_id=uuid4(), by=WORKER)


ACTS = [report, add_items, claim, heartbeat, announce]


def cost(act: Callable[[Phase, int], Act], *, number: int, items: int | None, phases: int) -> list[str]:
    """Return the SQL of this act for so many results, on a phase of so many items, in a job of so many phases."""
    return statements(act(begun(job_of(items=items, phases=phases)), number))


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_a_verb_runs_as_many_statements_for_one_item_as_for_a_thousand(act: Callable[[Phase, int], Act]) -> None:
    costs = [len(cost(act, number=number, items=1001, phases=1)) for number in (1, 100, 1000)]
    assert len(set(costs)) == 1
    assert costs[0] <= 15


@pytest.mark.django_db
@pytest.mark.parametrize("items", [1001, None])
def test_failures_cost_at_most_three_statements_more_for_any_number_of_them(items: int | None) -> None:
    costs = {len(cost(report_with_failures, number=number, items=items, phases=1)) for number in (2, 100, 1000)}
    assert costs == {len(cost(report, number=2, items=items, phases=1)) + 3}


@pytest.mark.django_db
@pytest.mark.parametrize("act", [*ACTS, report_with_failures], ids=lambda act: act.__name__)
def test_a_verb_runs_as_many_statements_in_a_small_job_as_in_a_large_one(act: Callable[[Phase, int], Act]) -> None:
    sizes = [(10, 1), (10_000, 1), (10, 20), (10_000, 20)]
    costs = [len(cost(act, number=5, items=items, phases=phases)) for items, phases in sizes]
    assert len(set(costs)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_no_verb_of_a_worker_counts_items(act: Callable[[Phase, int], Act]) -> None:
    assert not [sql for sql in cost(act, number=5, items=100, phases=2) if "COUNT(" in sql.upper()]


@pytest.mark.django_db
def test_results_that_come_before_their_items_cost_a_constant_number_too() -> None:
    costs = [len(cost(report, number=number, items=None, phases=1)) for number in (1, 100, 1000)]
    assert len(set(costs)) == 1


@pytest.mark.django_db
def test_an_empty_claim_costs_no_lock() -> None:
    phase = fresh(make_job(items=1, done=1))
    assert statements(claim(phase, 100)) == []


@pytest.mark.django_db
def test_an_empty_common_claim_asks_for_no_limit() -> None:
    make_job(items=1, done=1, phases=[PhaseSpec(code="nothing-left")])
    asked = statements(partial(tracking.claim_any, worker="w1", phase="nothing-left", by=WORKER))
    assert [sql for sql in asked if sql.startswith("SELECT")] == asked
    assert len(asked) == 3  # ready phases, the times of retries, the quarantines of this worker


@pytest.mark.django_db
def test_creating_a_job_costs_as_much_with_one_item_as_with_a_thousand() -> None:
    costs = [len(statements(partial(job_of, items=number, phases=3))) for number in (1, 100, 1000)]
    assert len(set(costs)) == 1


# --- what ends or begins many phases -----------------------------------------------------------------


def held_in_every_phase(phases: int, *, gated: bool = False) -> Job:
    """Make a job with so many phases, in each of which a worker holds an item; behind a gate they only wait."""
    specs = [PhaseSpec(code=f"p{n}", gated=gated and n > 0) for n in range(phases)]
    job = tracking.create_job(name=f"pins-{next(_numbers)}", phases=specs, by=WORKER).job
    for spec in specs:
        tracking.add_items(fresh(job, spec.code), items=new_items(3), by=WORKER)
        tracking.claim(fresh(job, spec.code), worker="w1", limit=1, by=WORKER)
    return job


ACTS_ON_PHASES: dict[str, Callable[[Job], Any]] = {
    "force_complete": partial(operations.force_complete, actor=None, reason="enough"),
    "fail": partial(operations.fail, actor=None, reason="enough"),
    "cancel": partial(operations.cancel, actor=None),
    "restart": partial(operations.restart, phase="p0", actor=None),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ACTS_ON_PHASES)
def test_an_act_on_many_phases_runs_as_many_statements_as_on_two(name: str) -> None:
    # The first failure opens the incident that the others join.
    jobs = [held_in_every_phase(phases, gated=name == "restart") for phases in (2, 2, 20)]
    _, *costs = [len(statements(partial(ACTS_ON_PHASES[name], job))) for job in jobs]
    assert costs[0] == costs[1]
    assert costs[0] <= 20


@pytest.mark.django_db
def test_reopening_costs_as_much_with_many_gated_phases_behind_as_with_one() -> None:
    costs = []
    for phases in (2, 20):
        job = held_in_every_phase(phases, gated=True)
        tracking.finish(fresh(job), by=WORKER)
        tracking.report(fresh(job), results=[Result(f"k{n}", "completed") for n in range(3)], by=WORKER)
        add = partial(tracking.add_items, fresh(job), items=new_items(4), reopen=True, by=WORKER)
        costs.append(len(statements(add)))
        assert fresh(job).run == 2
    assert costs[0] == costs[1]


# --- many items --------------------------------------------------------------------------------------


def plan_of(sql: str) -> str:
    """Return the database's plan of this statement."""
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}")
        return "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())


def reads_all_items(plan: str) -> bool:
    """Return whether the plan reads the whole table."""
    return "SCAN jobs_item" in plan or "Seq Scan on jobs_item" in plan


def uses_the_primary_key(plan: str) -> bool:
    """Return whether the plan finds each item by its id."""
    return "SEARCH jobs_item USING INTEGER PRIMARY KEY" in plan or "using jobs_item_pkey" in plan


def batched(keys: Iterator[str], size: int) -> Iterator[list[str]]:
    """Split the keys in portions of this size."""
    while portion := list(islice(keys, size)):
        yield portion


@pytest.mark.django_db
def test_the_search_for_late_jobs_reads_only_those_whose_due_time_has_passed() -> None:
    [sql] = statements(lambda: list(Job.objects.overdue(timezone.now()).order_by("due_at").values_list("pk")))
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "job_overdue" in plan_of(sql)


@pytest.mark.django_db
def test_the_sweep_runs_as_many_statements_for_many_jobs_that_are_not_due_as_for_one() -> None:
    costs = []
    for number in (1, 20):
        for _ in range(number):
            make_job(items=2, done=1, deadlines=Deadlines(expected_seconds=900, silent_after=900, stalled_after=9000))
        costs.append(len(statements(watchdog.sweep)))
    assert costs[0] == costs[1]


def analyze() -> None:
    """Update the database's statistics of its rows."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def large_phase() -> Phase:
    """Make a phase of MANY items, all done but the last thousand. Another phase has pending items, too."""
    make_job(items=4000)
    phase = begun(make_job())
    done = MANY - 1000
    for keys in batched((f"d{n}" for n in range(1, done)), 10_000):
        values = [(key, digest(key)) for key in keys]
        bulk_sql.insert(
            Item, values, fields=("key", "key_digest"), constants={"phase": phase.pk, "status": "completed"}
        )
    Phase.objects.filter(pk=phase.pk).update(done=done, items_total=done)
    tracking.add_items(phase, items=new_items(1000, start=1), by=WORKER)
    analyze()
    return fresh(phase.job)


CLAIM_INDEX = "item_claimable"


@pytest.mark.django_db
def test_a_claim_does_not_walk_the_items_of_older_phases() -> None:
    """With fresh statistics, half of the items pending, and all of them behind those of an older phase."""
    older, newer = begun(make_job()), begun(make_job())
    for phase, status in ((older, "completed"), (newer, "pending")):
        values = [(key, digest(key)) for key in (f"x{n}" for n in range(3000))]
        constants = {"phase": phase.pk, "status": status}
        bulk_sql.insert(Item, values, fields=("key", "key_digest"), constants=constants)
    Phase.objects.filter(pk=newer.pk).update(items_total=3000)
    analyze()
    [select] = [sql for sql in statements(claim(fresh(newer.job), 100)) if sql.endswith("LIMIT 100")]
    assert CLAIM_INDEX in plan_of(select)


@pytest.mark.full
@pytest.mark.django_db
def test_a_large_phase_is_worked_by_its_indexes() -> None:
    phase = large_phase()
    assert watchdog.recount() == []
    ids = list(phase.items.order_by("pk").values_list("pk", flat=True)[:100])
    values = [(pk, "completed", 0, f"e{pk}") for pk in ids]
    [update] = statements(partial(bulk_sql.update, Item, values, match=("id", "status", "attempt"), fields=("error",)))
    assert uses_the_primary_key(plan_of(update))
    [select] = [sql for sql in statements(claim(phase, 100)) if sql.endswith("LIMIT 100")]
    assert CLAIM_INDEX in plan_of(select)
    for act in (claim, heartbeat, report):
        for sql in statements(act(phase, 100)):
            if "jobs_item" in sql and sql.startswith(("SELECT", "UPDATE")):
                assert not reads_all_items(plan_of(sql)), sql[:300]


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_a_job_with_many_items_appears_all_at_once() -> None:
    """A reader sees no job, or the whole of it, while many items are created."""
    over, seen = Signal(), set()

    def look() -> None:
        while True:
            last = over.is_set()
            found = Phase.objects.filter(job__name="large").values_list("expected", "items_total").first()
            seen.add((found, Item.objects.filter(phase__job__name="large").count() if found else 0))
            if last:
                break
            sleep(0.001)  # a reader that spins would keep the interpreter from the writer
        connections.close_all()

    reader = Thread(target=look)
    reader.start()
    try:
        tracking.create_job(name="large", items=[NewItem(f"k{n}") for n in range(MANY)], by=WORKER)
    finally:
        over.set()
        reader.join()
    assert seen <= {(None, 0), ((MANY, MANY), MANY)}
    assert ((MANY, MANY), MANY) in seen
