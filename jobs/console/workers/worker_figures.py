"""The numbers of workers: leased items, and settled items of the last hour and day."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Sum

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


def figures_of_workers(
    workers: Collection[Worker], projects: Collection[str] | None, *, now: datetime
) -> dict[int, WorkerFigures]:
    """Return the numbers of these workers in these projects (None: in all) by the worker's id, with two queries."""
    names = [worker.name for worker in workers]
    held, settled = _held(names, projects), _settled(names, projects, slot_of(now) - HOUR + _slots(1))
    return {
        worker.pk: WorkerFigures(
            held.get((worker.name, worker.account_id), 0), *settled.get((worker.name, worker.owner), (0, 0))
        )
        for worker in workers
    }


def day_of(worker: Worker, projects: Collection[str] | None, *, now: datetime) -> RateChart:
    """Return the items per hour of a worker in these projects in the last 24 hours with the current one."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - (HOURS - 1) * HOUR
    rows = WorkerTally.objects.within(projects).filter(worker=worker.name, owner=worker.owner, slot__gte=first)
    sums = rows.order_by("slot").values_list("slot").annotate(Sum("done"), Sum("failed"))
    return hourly(list(sums), first=first, last=last)


def _held(names: list[str], projects: Collection[str] | None) -> dict[tuple[str, int | None], int]:
    held = Item.objects.held().filter(worker__in=names)
    if projects is not None:
        held = held.filter(phase__job__project__in=projects)
    groups = held.order_by().values_list("worker", "account").annotate(Count("pk"))
    return {(name, account): number for name, account, number in groups}


def _settled(
    names: list[str], projects: Collection[str] | None, since: datetime
) -> dict[tuple[str, int], tuple[int, int]]:
    rows = WorkerTally.objects.within(projects).filter(worker__in=names, slot__gte=since).order_by()
    groups = rows.values_list("worker", "owner").annotate(Sum("done"), Sum("failed"))
    return {(name, owner): (done, failed) for name, owner, done, failed in groups}


def _slots(number: int) -> timedelta:
    return timedelta(minutes=SLOT_MINUTES) * number
