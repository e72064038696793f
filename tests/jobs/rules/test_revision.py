"""The revision: it grows with every visible change, and with no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import cancel, pause, resume, retry
from tests.factories import (
    WORKER,
    complete,
    listed,
    make_job,
    phase_of,
    take,
    tell,
    types,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def test_the_revision_moves_by_one_with_every_visible_change() -> None:
    job = make_job(items=5)
    revision = job.revision
    acts: list[Callable[[], Any]] = [
        lambda: take(phase_of(job), 2),
        lambda: complete(phase_of(job), 2),
        lambda: listed(job, 6),
        lambda: tell(phase_of(job), "k3", "failed"),
        lambda: retry(job, actor=None),
        lambda: tracking.announce(phase_of(job), expected=7, by=WORKER),
        lambda: pause(job, actor=None),
        lambda: resume(job, actor=None),
        lambda: tell(phase_of(job), "k3", "processing"),
        lambda: tell(phase_of(job), "k3", "pending"),
        lambda: cancel(job, actor=None),
    ]
    for changes, act in enumerate(acts, 1):
        act()
        assert fresh(job).revision == revision + changes


def test_what_changes_nothing_visible_does_not_move_the_revision(clock: Clock) -> None:
    job = make_job(items=5, done=1)
    take(phase_of(job), 1)
    tracking.announce(phase_of(job), expected=6, by=WORKER)
    revision = fresh(job).revision
    clock.forward(5)
    complete(phase_of(job), 1)
    tell(phase_of(job), "k1", "processing")
    tell(phase_of(job), "unknown", "completed")
    listed(job, 5)
    tracking.announce(phase_of(job), expected=6, by=WORKER)
    tracking.heartbeat(job, worker="w1", message="still here", by=WORKER)
    watchdog.sweep()
    assert (fresh(job).revision, job.heartbeat_at) == (revision, clock.now)


def test_the_timeline_tells_the_story_in_order() -> None:
    job = make_job(items=2)
    take(phase_of(job))
    tell(phase_of(job), "k0", "completed")
    pause(job, actor=None)
    resume(job, actor=None)
    tell(phase_of(job), "k1", "failed")
    assert types(job) == [
        "job.created",
        "items.started",
        "operator.pause",
        "operator.resume",
        "items.completed",
        "job.completed",
    ]
