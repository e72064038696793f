"""The watermark: a phase finishes once at its deadline, with the items it has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import cancel, force_complete, pause, restart, resume, retry, skip
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Trigger
from tests.factories import (
    WORKER,
    complete,
    item_of,
    listed,
    make_job,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def announced(expected: int = 100, *, done: int = 0, ttl: int = 900, **fields: Any) -> Job:
    job = pipeline(PhaseSpec("frames", watermark_ttl=ttl, **fields))
    tracking.announce(phase_of(job), expected=expected, by=WORKER)
    if done:
        complete(phase_of(job), done)
    return job


def left(job: Job, clock: Clock) -> float | None:
    deadline = phase_of(job).deadline_at
    return None if deadline is None else (deadline - clock.now).total_seconds()


def test_an_announcement_sets_the_deadline_to_now_and_the_ttl(clock: Clock) -> None:
    assert left(announced(ttl=900), clock) == 900
    assert left(announced(ttl=1), clock) == 1


def test_without_a_ttl_of_its_own_the_phase_has_that_of_the_setting(clock: Clock, settings: Any) -> None:
    settings.WATERMARK_TTL_SECONDS = 120
    job = make_job()
    tracking.announce(phase_of(job), expected=5, by=WORKER)
    assert left(job, clock) == 120


def test_nothing_but_an_announcement_sets_or_moves_the_deadline(clock: Clock) -> None:
    listed_only = make_job(items=3, expected=5)
    assert left(listed_only, clock) is None
    job = announced()
    clock.forward(100)
    listed(job, 5)
    take(phase_of(job), 1)
    settle(phase_of(job), ["completed", "failed", "processing"])
    tracking.heartbeat(job, worker="w1", by=WORKER)
    retry(job, actor=None)
    assert left(job, clock) == 800


@pytest.mark.parametrize(("seconds", "status"), [(899, "processing"), (900, "completed"), (901, "completed")])
def test_the_phase_finishes_when_the_ttl_has_passed_and_not_before(seconds: int, status: str, clock: Clock) -> None:
    job = announced(done=60)
    watchdog.pass_watermarks(clock.forward(seconds))
    assert phase_of(job).status == status


def test_it_finishes_with_what_it_has(clock: Clock) -> None:
    job = announced(done=60)
    assert watchdog.pass_watermarks(clock.forward(900)) == 1
    phase = phase_of(job)
    assert (phase.status, phase.completed_by, phase.partial, phase.deadline_at) == (
        "completed",
        "watermark",
        True,
        None,
    )
    [event] = outward(job, "frames.completed")
    assert (event["total_assets"], event["processed_assets"], event["failed_assets"]) == (100, 60, 0)
    assert (event["has_partial_completion"], event["watermark_ttl"], event["forced"]) == (True, 900, False)


def test_it_may_finish_with_nothing(clock: Clock) -> None:
    job = announced(5)
    watchdog.sweep(clock.forward(900))
    [event] = outward(job, "frames.completed")
    assert (event["processed_assets"], phase_of(job).job.status) == (0, "completed")


@pytest.mark.parametrize(
    ("done", "threshold", "shortfall", "status", "partial"),
    [
        (60, 90, "partial", "completed", True),
        (60, 90, "fail", "failed", False),
        (95, 90, "fail", "completed", True),
        (0, 90, "fail", "failed", False),
    ],
)
def test_what_meets_its_threshold_is_completed_and_the_rest_is_a_shortfall(
    done: int, threshold: int, shortfall: str, status: str, partial: bool, clock: Clock
) -> None:
    job = announced(done=done, threshold=threshold, on_shortfall=shortfall)
    watchdog.pass_watermarks(clock.forward(900))
    assert (phase_of(job).status, phase_of(job).partial) == (status, partial)


def test_it_fires_once_whoever_sweeps(clock: Clock) -> None:
    job = announced(done=60)
    clock.forward(900)
    assert [watchdog.pass_watermarks(clock.now) for _ in range(3)] == [1, 0, 0]
    assert len(outward(job, "frames.completed")) == 1


def test_it_fires_after_any_downtime(clock: Clock) -> None:
    job = announced(done=60)
    assert watchdog.sweep(clock.forward(30 * 86400))["watermarks"] == 1
    assert phase_of(job).status == "completed"


def test_each_consumer_has_a_deadline_of_its_own(clock: Clock) -> None:
    job = pipeline(kind="vision", asset_types=["video"])
    for code, wait in (("video.embeddings", 0), ("video.keypoints", 100)):
        clock.forward(wait)
        tracking.announce(phase_of(job, code), expected=100, by=WORKER)
        complete(phase_of(job, code), 60)
    assert watchdog.pass_watermarks(clock.forward(800)) == 1
    assert watchdog.pass_watermarks(clock.forward(100)) == 1
    for code in ("video.embeddings", "video.keypoints"):
        [event] = outward(job, f"{code}.completed")
        assert (event["processed_assets"], event["total_assets"]) == (60, 100)


def test_completion_before_the_deadline_clears_it(clock: Clock) -> None:
    job = announced(20, done=18, threshold=90, trigger=Trigger.AT_THRESHOLD)
    assert (phase_of(job).status, left(job, clock)) == ("completed", None)
    assert watchdog.pass_watermarks(clock.forward(9000)) == 0


@pytest.mark.parametrize("end", [cancel, force_complete])
def test_an_end_by_an_operator_disarms_it(end: Callable[..., Any], clock: Clock) -> None:
    job = announced(done=5)
    end(job, actor=None, reason="enough")
    events = outward(job)
    assert (left(job, clock), phase_of(job).deadline_left) == (None, None)
    watchdog.sweep(clock.forward(9000))
    assert outward(job) == events


def test_the_last_item_a_moment_after_the_deadline_finishes_by_the_watermark(clock: Clock) -> None:
    """Also when no sweep came between: every change looks at the deadline."""
    job = announced(20, done=10)
    clock.forward(901)
    complete(phase_of(job), 1, start=10)
    assert (phase_of(job).status, phase_of(job).completed_by, phase_of(job).done) == ("completed", "watermark", 11)


def failed_by_the_watermark(clock: Clock) -> Job:
    job = announced(3, on_shortfall="fail")
    settle(phase_of(job), ["completed", "failed"])
    watchdog.pass_watermarks(clock.forward(900))
    assert (phase_of(job).status, left(job, clock)) == ("failed", None)
    clock.forward(5000)
    return job


def retry_all(job: Job) -> None:
    retry(job, actor=None)


def skip_the_failed(job: Job) -> None:
    skip(job, items=[item_of(job, "k1").pk], actor=None)


@pytest.mark.parametrize("act", [retry_all, skip_the_failed])
def test_a_phase_that_goes_on_after_its_watermark_gets_a_new_deadline(act: Callable[[Job], None], clock: Clock) -> None:
    job = failed_by_the_watermark(clock)
    act(job)
    assert (phase_of(job).status, left(job, clock)) == ("processing", 900)
    watchdog.sweep(clock.forward(900))
    assert phase_of(job).status == "failed"


def test_a_phase_that_failed_before_its_watermark_goes_on_with_the_rest_of_its_time(clock: Clock) -> None:
    job = announced(2, on_shortfall="fail")
    clock.forward(300)
    settle(phase_of(job), ["completed", "failed"])
    assert (phase_of(job).status, left(job, clock)) == ("failed", None)
    clock.forward(5000)
    retry(job, actor=None)
    assert (phase_of(job).status, left(job, clock)) == ("processing", 600)


def test_a_phase_without_an_announcement_gets_no_deadline_by_a_retry(clock: Clock) -> None:
    job = make_job(items=2, done=1, failed=1, on_shortfall="fail")
    retry(job, actor=None)
    assert (phase_of(job).status, left(job, clock)) == ("processing", None)


def test_a_restart_clears_the_deadline(clock: Clock) -> None:
    job = announced(3, done=1)
    restart(job, phase="frames", actor=None)
    assert (left(job, clock), phase_of(job).deadline_left, phase_of(job).expected) == (None, None, 3)


# --- pause -------------------------------------------------------------------------------------------


def test_a_pause_keeps_the_time_that_was_left(clock: Clock) -> None:
    job = announced(done=60)
    clock.forward(300)
    pause(job, actor=None)
    assert (left(job, clock), phase_of(job).deadline_left) == (None, timedelta(seconds=600))
    assert watchdog.pass_watermarks(clock.forward(100_000)) == 0
    resume(job, actor=None)
    assert left(job, clock) == 600
    assert watchdog.pass_watermarks(clock.forward(600)) == 1


def test_an_announcement_to_a_paused_job_starts_its_time_with_the_resume(clock: Clock) -> None:
    job = make_job()
    pause(job, actor=None)
    tracking.announce(phase_of(job), expected=5, by=WORKER)
    assert left(job, clock) is None
    clock.forward(5000)
    resume(job, actor=None)
    assert left(job, clock) == 900


def test_a_deadline_that_passed_before_the_pause_fires_at_the_resume(clock: Clock) -> None:
    job = announced(done=60)
    clock.forward(901)
    pause(job, actor=None)
    assert phase_of(job).status == "processing"
    clock.forward(901)
    resume(job, actor=None)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "watermark")


# --- unannounced -------------------------------------------------------------------------------------


def test_items_without_an_announcement_are_stuck_a_ttl_after_the_last_one(clock: Clock) -> None:
    job = make_job()
    complete(phase_of(job), 3)
    clock.forward(500)
    listed(job, 5)
    clock.forward(900)
    tracking.heartbeat(job, worker="w1", by=WORKER)
    assert watchdog.find_stuck(clock.now) == 0
    assert watchdog.find_stuck(clock.forward(1)) == 1
    job.refresh_from_db()
    assert (job.stuck, job.stuck_since) == ("unannounced", clock.now)
    assert outward(job, "job.stuck")[0]["reason"] == "unannounced"


def test_a_report_starts_the_wait_for_the_announcement_anew(clock: Clock) -> None:
    job = make_job()
    listed(job, 3)
    clock.forward(800)
    tell(phase_of(job), "k0", "completed")
    clock.forward(800)
    assert tell(phase_of(job), "k0", "completed").outcome == "duplicate"
    assert watchdog.find_stuck(clock.now) == 0
    assert watchdog.find_stuck(clock.forward(101)) == 1
    job.refresh_from_db()
    assert job.stuck == "unannounced"


def test_the_announcement_unsticks_the_job(clock: Clock) -> None:
    job = make_job()
    complete(phase_of(job), 3)
    watchdog.find_stuck(clock.forward(901))
    tracking.announce(phase_of(job), expected=5, by=WORKER)
    job.refresh_from_db()
    assert (job.stuck, job.stuck_since) == ("", None)


def test_an_unannounced_phase_is_force_completed_with_what_is_settled() -> None:
    job = make_job()
    settle(phase_of(job), ["completed"] * 4 + ["failed"])
    force_complete(job, actor=None, reason="the producer was stopped")
    [event] = outward(job, "items.completed")
    assert (event["total_assets"], event["processed_assets"], event["failed_assets"]) == (5, 4, 1)
    assert (event["forced"], event["completed_by"], event["has_partial_completion"]) == (True, "forced", True)


def test_a_forced_phase_whose_total_was_unknown_and_all_done_has_total_and_processed_equal() -> None:
    job = make_job()
    complete(phase_of(job), 4)
    force_complete(job, actor=None, reason="the producer was stopped")
    [event] = outward(job, "items.completed")
    assert (event["total_assets"], event["processed_assets"], event["forced"]) == (4, 4, True)
    assert event["has_partial_completion"] is False
