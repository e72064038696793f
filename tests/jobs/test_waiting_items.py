"""Claims beside many waiting items: they read only what they take, whatever the planner's statistics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import tracking
from jobs.models import Item, Phase
from tests.factories import WORKER, make_job, phase_of
from tests.plan import size

pytestmark = pytest.mark.django_db

MANY = size(10_000, full=100_000)
Ask = Callable[..., tracking.Claimed]


def waiting_phase(*, ready: int = 0, due: int = 0) -> Phase:
    """Make a phase of many waiting items, so many of them due, and so many others behind them."""
    phase = phase_of(make_job(items=MANY + ready))
    now = timezone.now()
    later, past = now + timedelta(hours=1), now - timedelta(seconds=1)
    first, *_, last = phase.items.order_by("pk").values_list("pk", flat=True)[:MANY]
    Item.objects.filter(pk__gte=first, pk__lte=last).update(available_at=later, failures=1)
    Item.objects.filter(pk__gt=last - due, pk__lte=last).update(available_at=past)
    Phase.objects.filter(pk=phase.pk).update(waiting=MANY, next_due_at=past if due else later)
    return phase_of(phase.job)


def claim(phase: Phase, number: int) -> tracking.Claimed:
    return tracking.claim(phase, worker="w1", limit=number, by=WORKER)


def claim_any(phase: Phase, number: int) -> tracking.Claimed:
    return tracking.claim_any(worker="w1", phase="items", limit=number, by=WORKER)


def plans(ask: Ask, phase: Phase, number: int) -> list[str]:
    """Return the plans of a claim's reads of the items of a phase."""
    with CaptureQueriesContext(connection) as captured:
        ask(phase, number)
    reads = [query["sql"] for query in captured if '"available_at" IS' in query["sql"]]
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    found = []
    with connection.cursor() as cursor:
        for sql in reads:
            cursor.execute(f"{explain} {sql}".replace("%", "%%"))
            found.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
    return found


@pytest.mark.full
@pytest.mark.parametrize("ask", [claim, claim_any], ids=lambda ask: ask.__name__)
def test_a_claim_reads_only_the_items_that_it_takes_beside_many_that_wait(ask: Ask) -> None:
    phase = waiting_phase(ready=200, due=50)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ready, waiting = plans(ask, phase, 100)
    assert "item_claimable" in ready, ready
    assert "item_due" in waiting, waiting
    assert not [plan for plan in (ready, waiting) if "Sort" in plan or "TEMP B-TREE" in plan]


@pytest.mark.full
@pytest.mark.parametrize("ask", [claim, claim_any], ids=lambda ask: ask.__name__)
def test_a_claim_takes_what_is_due_and_what_never_waits(ask: Ask) -> None:
    phase = waiting_phase(ready=30, due=50)
    portions = [ask(phase_of(phase.job), 60) for _ in range(3)]
    assert [len(claimed.items) for claimed in portions] == [60, 20, 0]
    assert portions[-1].reason == "retry_wait"
    assert (phase_of(phase.job).waiting, phase_of(phase.job).processing) == (MANY - 50, 80)


def cost(act: Callable[[], object]) -> int:
    """Return the number of statements of an act."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def test_a_claim_reads_waiting_items_only_where_one_may_be_due() -> None:
    """One statement more, and no statement at all where only waiting items are left."""
    plain, waiting, due = phase_of(make_job(items=20)), waiting_phase(ready=20), waiting_phase(ready=20, due=5)
    costs = []
    for phase in (plain, waiting, due):
        claim(phase, 1)
        costs.append(cost(partial(claim, phase_of(phase.job), 5)))
    assert [each - costs[0] for each in costs] == [0, 0, 1]
    assert cost(partial(claim, waiting_phase(), 5)) == 0
