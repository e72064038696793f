"""The numbers of workers: leased items, and settled items of the last hour and day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet, Sum

from jobs.console.charts import RateChart, hourly
from jobs.models import Item, Worker, WorkerTally
from jobs.models.workers import SLOT_MINUTES, slot_of

HOUR = timedelta(hours=1)
HOURS = 24


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """The number of leased items, and of done and failed ones in the last hour.

    The hour is the last twelve slots of five minutes with the current one: 55 to 60 minutes.
    """

    held: int = 0
    done: int = 0
    failed: int = 0


def figures_of_workers(workers: Iterable[Worker], *, now: datetime) -> dict[str, WorkerFigures]:
    """Return the numbers of these workers by name, with two queries."""
    names = [worker.name for worker in workers]
    held = dict(Item.objects.held().filter(worker__in=names).order_by().values_list("worker").annotate(Count("pk")))
    settled = {name: (done, failed) for name, done, failed in _since(names, slot_of(now) - HOUR + _slots(1))}
    return {name: WorkerFigures(held.get(name, 0), *settled.get(name, (0, 0))) for name in names}


def day_of(worker: Worker, *, now: datetime) -> RateChart:
    """Return the items per hour of a worker in the last 24 hours with the current one."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - (HOURS - 1) * HOUR
    rows = WorkerTally.objects.filter(worker=worker.name, slot__gte=first)
    return hourly(list(rows.values_list("slot", "done", "failed")), first=first, last=last)


def _since(names: list[str], slot: datetime) -> QuerySet[WorkerTally, tuple[str, int, int]]:
    rows = WorkerTally.objects.filter(worker__in=names, slot__gte=slot).order_by()
    return rows.values_list("worker").annotate(done=Sum("done"), failed=Sum("failed"))


def _slots(number: int) -> timedelta:
    return timedelta(minutes=SLOT_MINUTES) * number
