"""Fixtures of the tests of incidents: a stopped clock, and jobs in the states that need a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobs import tracking, watchdog
from jobs.incidents import notices
from jobs.models import Incident, Job
from jobs.rules.incidents import Notice
from tests.factories import WORKER, make_job, phase_of, settle
from tests.jobs.rules.conftest import Clock, clock

__all__ = ["Clock", "clock"]
Heard = list[tuple[int, str]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Provide the notices of incidents, in order."""
    found: Heard = []

    def listen(incident: Incident, notice: Notice) -> None:
        found.append((incident.pk, str(notice)))

    notices.register(listen)
    yield found
    notices.unregister(listen)


def make_stuck(clock: Clock, number: int = 1, **fields: object) -> list[Job]:
    """Make running jobs, and let them be silent until the watchdog marks them."""
    jobs = [make_job(items=3, done=1, **fields) for _ in range(number)]  # type: ignore[arg-type]
    clock.forward(601)
    watchdog.sweep()
    return jobs


def make_failed(error: str = "disk full", **fields: object) -> Job:
    """Make a job whose only item has failed, and the job with it."""
    job = make_job(items=1, on_shortfall="fail", **fields)  # type: ignore[arg-type]
    result = tracking.Result("k0", "failed", error=error)
    tracking.report(phase_of(job), worker="w1", results=[result], by=WORKER)
    job.refresh_from_db()
    assert job.status == "failed"
    return job


def report(job: Job, *statuses: str, start: int = 1) -> None:
    """Report items of a job, a sign of life."""
    settle(phase_of(job), list(statuses) or ["completed"], start=start)


def the_incident(**fields: object) -> Incident:
    """Return the one incident."""
    [incident] = Incident.objects.filter(**fields)
    return incident


TEN_MINUTES = timedelta(minutes=10).total_seconds()
