"""Queries of workers: which are alive, and the items that silent ones still hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, F, Max, OuterRef, Q, Value
from django.db.models.functions import Coalesce

from jobs.console.status_styles import STYLES, StatusStyle
from jobs.models import Item, Job, Worker
from jobs.models.jobs import JobQuerySet, projects_of
from jobs.models.workers import ALIVE, SILENT

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

MOST_LISTED = 50
MOST_NAMED = 3
MOST_HOLDING = 200


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of the last minutes: the number that is alive, and the silent ones.

    `gone` ones have been silent for longer and still hold items; `held` has the number of items by their id.
    """

    alive: int
    silent: list[Worker]
    gone: list[Worker] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of alive and silent workers."""
        return self.alive + len(self.silent)

    @property
    def holding(self) -> list[tuple[Worker, int]]:
        """The gone workers with the number of items that they hold, as many as the page names."""
        return [(worker, self.held.get(worker.pk, 0)) for worker in self.gone[:MOST_NAMED]]

    @property
    def more_gone(self) -> int:
        """The number of gone workers with items that the page does not name."""
        return max(0, len(self.gone) - MOST_NAMED)

    @property
    def named(self) -> list[Worker]:
        """The silent workers that the page names."""
        return self.silent[:MOST_NAMED]

    @property
    def unnamed(self) -> int:
        """The number of silent workers that the page does not name."""
        return len(self.silent) - len(self.named)


@dataclass(slots=True)
class Holding:
    """The silent workers of one job, and the number of items that they hold.

    `live` items are under a lease that has not expired; the last one ends at `until`. `leaseless` items have no lease.
    """

    job_id: int
    workers: list[Worker]
    items: int = 0
    live: int = 0
    leaseless: int = 0
    until: datetime | None = None


def worker_style(seen_at: datetime, *, now: datetime) -> StatusStyle:
    """Return the style of a worker: alive within two heartbeats, silent within ten, then gone."""
    age = now - seen_at
    if age <= ALIVE:
        return STYLES["alive"]
    return STYLES["silent"] if age <= SILENT else STYLES["gone"]


def recent_workers(user: User | AnonymousUser, *, now: datetime, jobs: JobQuerySet | None = None) -> Workers:
    """Return the workers of the last minutes, and gone ones that hold items; of these jobs where any are given.

    A limited account sees those of its projects.
    """
    visible = Worker.objects.within(projects_of(user))
    if jobs is not None:
        visible = visible.filter(job__in=jobs.order_by())
    listed = list(visible.filter(seen_at__gte=now - SILENT).order_by("-seen_at")[:1000])
    silent = [worker for worker in listed if worker_style(worker.seen_at, now=now).code == "silent"]
    gone = list(visible.gone(now).holding().order_by("seen_at")[:MOST_LISTED])
    return Workers(len(listed) - len(silent), silent[:MOST_LISTED], gone, _held_of(gone))


def _held_of(workers: list[Worker]) -> dict[int, int]:
    """Return the number of items that each of these workers holds, by its id."""
    if not workers:
        return {}
    held = Item.objects.held().filter(worker__in=[worker.name for worker in workers]).order_by()
    numbers = {
        (n, account): number for n, account, number in held.values_list("worker", "account").annotate(Count("pk"))
    }
    return {worker.pk: numbers.get((worker.name, worker.account_id), 0) for worker in workers}


def holdings(jobs: JobQuerySet, *, now: datetime) -> list[Holding]:
    """Return the items that silent and gone workers hold in these jobs, the longest silent first."""
    absent = Worker.objects.filter(seen_at__lt=now - ALIVE)
    holder = Coalesce(F("account"), Value(0))
    of_absent = absent.filter(name=OuterRef("worker")).alias(holder=holder).filter(holder=OuterRef("holder"))
    held = Item.objects.held().annotate(holder=holder).filter(Exists(of_absent))
    if jobs.query.where:
        held = held.filter(phase__job__in=jobs.order_by())
    counts = {
        "items": Count("pk"),
        "live": Count("pk", filter=Q(lease_expires_at__gte=now)),
        "leaseless": Count("pk", filter=Q(lease_expires_at__isnull=True)),
        "until": Max("lease_expires_at"),
    }
    groups = held.order_by("phase__job_id", "worker").values_list("worker", "holder", "phase__job_id")
    found = list(groups.annotate(**counts)[:MOST_HOLDING])
    named = absent.filter(name__in={group[0] for group in found})
    return _by_job(found, {(worker.name, worker.account_id or 0): worker for worker in named})


def _by_job(
    groups: list[tuple[str, int, int, int, int, int, datetime | None]], workers: dict[tuple[str, int], Worker]
) -> list[Holding]:
    jobs: dict[int, Holding] = {}
    for name, holder, job_id, items, live, leaseless, until in groups:
        if (name, holder) not in workers:
            continue
        holding = jobs.setdefault(job_id, Holding(job_id, []))
        holding.workers.append(workers[name, holder])
        holding.items, holding.live = holding.items + items, holding.live + live
        holding.leaseless += leaseless
        holding.until = max(filter(None, (holding.until, until)), default=None)
    for holding in jobs.values():
        holding.workers.sort(key=lambda worker: worker.seen_at)
    return sorted(jobs.values(), key=lambda holding: holding.workers[0].seen_at)


def worker_of(job: Job) -> Worker | None:
    """Return the last worker of this job that has not moved on to another one."""
    return Worker.objects.filter(job=job).order_by("-seen_at").first()
