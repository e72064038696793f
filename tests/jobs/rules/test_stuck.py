"""Stuck jobs: the watchdog marks them, and a sign of life clears the mark."""

from __future__ import annotations

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import cancel, force_complete, pause, restart, resume, retry
from tests.factories import (
    WORKER,
    complete,
    make_job,
    outward,
    phase_of,
    take,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def sweep(job: Job) -> str:
    watchdog.find_stuck()
    return fresh(job).stuck


def test_a_job_without_report_or_heartbeat_is_silent(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    clock.forward(600)
    assert sweep(job) == ""
    stuck_at = clock.forward(1)
    revision = fresh(job).revision
    assert sweep(job) == "silent"
    assert (job.stuck_since, job.revision) == (stuck_at, revision + 1)
    [event] = outward(job, "job.stuck")
    assert (event["status"], event["reason"], event["job_id"]) == ("processing", "silent", job.name)


def test_a_stuck_job_is_told_once(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    for _ in range(3):
        clock.forward(700)
        assert sweep(job) == "silent"
    assert len(outward(job, "job.stuck")) == 1


def test_a_heartbeat_clears_silent_and_that_is_visible(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    clock.forward(601)
    revision = (sweep(job), fresh(job).revision)[1]
    tracking.heartbeat(job, worker="w1", by=WORKER)
    assert (fresh(job).stuck, job.stuck_since, job.revision) == ("", None, revision + 1)


def test_heartbeats_without_progress_are_stalled(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    for _ in range(4):
        clock.forward(450)
        tracking.heartbeat(job, worker="w1", by=WORKER)
    assert sweep(job) == ""
    clock.forward(1)
    assert sweep(job) == "stalled"
    tracking.heartbeat(job, worker="w1", by=WORKER)
    assert fresh(job).stuck == "stalled"
    complete(phase_of(job), 2)
    assert fresh(job).stuck == ""


def test_a_stalled_job_that_falls_silent_is_told_as_silent(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    for _ in range(4):
        clock.forward(451)
        tracking.heartbeat(job, worker="w1", by=WORKER)
    assert sweep(job) == "stalled"
    clock.forward(601)
    assert sweep(job) == "silent"
    assert [event["reason"] for event in outward(job, "job.stuck")] == ["stalled", "silent"]


def test_nobody_waits_for_a_sign_of_life_of_a_job_that_is_not_at_work(clock: Clock) -> None:
    jobs = [make_job(items=3), make_job(items=3, done=1), make_job(items=3, done=3), make_job(items=3, done=1)]
    pause(jobs[1], actor=None)
    cancel(jobs[3], actor=None)
    clock.forward(100_000)
    assert [sweep(job) for job in jobs] == ["", "", "", ""]


def test_after_a_resume_a_retry_and_a_restart_the_time_of_silence_begins_anew(clock: Clock) -> None:
    paused, failed, done = make_job(items=3, done=1), make_job(items=3, failed=1), make_job(items=3, done=3)
    pause(paused, actor=None)
    clock.forward(10_000)
    resume(paused, actor=None)
    retry(failed, actor=None)
    restart(done, phase="items", actor=None)
    take(phase_of(done), 1)
    assert [sweep(job) for job in (paused, failed, done)] == ["", "", ""]


def test_completion_clears_stuck(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    clock.forward(601)
    assert sweep(job) == "silent"
    force_complete(job, actor=None, reason="enough")
    assert (fresh(job).stuck, job.stuck_since) == ("", None)
