"""Which workers are alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jobs.faces import FACES, Face
from jobs.models import Job, Worker
from jobs.models.jobs import projects_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

INTERVAL = 30  # seconds between the heartbeats of a worker, a third of the default lease
ALIVE, SILENT = 2 * INTERVAL, 10 * INTERVAL
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of the last minutes: how many are alive, and those that fell silent."""

    alive: int
    silent: list[Worker]

    @property
    def total(self) -> int:
        """Alive and silent ones."""
        return self.alive + len(self.silent)


def worker_face(seen_at: datetime, *, now: datetime) -> Face:
    """Alive within two heartbeats, silent within ten, then gone."""
    age = (now - seen_at).total_seconds()
    if age <= ALIVE:
        return FACES["alive"]
    return FACES["silent"] if age <= SILENT else FACES["gone"]


def workers_lately(user: User | AnonymousUser, *, now: datetime) -> Workers:
    """The workers that were heard lately; those of an account's projects where it is limited."""
    workers = Worker.objects.filter(seen_at__gte=now - timedelta(seconds=SILENT)).order_by("-seen_at")
    projects = projects_of(user)
    if projects is not None:
        workers = workers.filter(job__project__in=projects)
    listed = list(workers[:1000])
    silent = [worker for worker in listed if worker_face(worker.seen_at, now=now).code == "silent"]
    return Workers(alive=len(listed) - len(silent), silent=silent[:MOST_LISTED])


def worker_of(job: Job) -> Worker | None:
    """The worker that was heard on this job last, if it has not gone on to another."""
    return Worker.objects.filter(job=job).order_by("-seen_at").first()
