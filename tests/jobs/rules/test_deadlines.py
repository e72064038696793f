"""Due times, own limits of silence and standstill, and progress inside a long item."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Job, Worker
from jobs.operations import cancel, force_complete, pause, restart, retry, set_due
from jobs.operations.diagnosis import diagnose
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import BadInput, NotPermitted, WrongState
from jobs.rules.pace import limit_of
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, Deadlines
from tests.factories import WORKER, complete, make_job, operator, outward, phase_of, pipeline, settle, take, types
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def due_in(seconds: float, **fields: Any) -> Job:
    """A running job that is due so many seconds after noon."""
    return make_job(items=3, done=1, deadlines=Deadlines(due_at=NOON + timedelta(seconds=seconds)), **fields)


def late(job: Job) -> bool:
    """Sweep, and tell whether the job is late."""
    watchdog.find_late()
    return fresh(job).late


def stuck(job: Job) -> str:
    """Sweep, and return why the job is stuck."""
    watchdog.find_stuck()
    return fresh(job).stuck


def lateness(job: Job) -> list[str]:
    """The outward events about the due time and the end, oldest first."""
    told = ("job.late", "job.on_time_again", "job.completed", "job.failed", "job.cancelled")
    return [name for name in types(job, outward=True) if name in told]


# --- late --------------------------------------------------------------------------------------------


def test_an_unfinished_job_is_late_once_its_due_time_has_passed_and_says_so_once(clock: Clock) -> None:
    job = due_in(60)
    clock.forward(59)
    assert not late(job)
    clock.forward(1)
    revision = fresh(job).revision
    assert late(job)
    assert job.revision == revision + 1
    clock.forward(500)
    assert watchdog.find_late() == 0
    [event] = outward(job, "job.late")
    assert (event["status"], event["reason"], event["due_at"]) == ("processing", "overdue", "2026-03-02T12:01:00Z")


@pytest.mark.parametrize("status", ["pending", "paused"])
def test_a_job_that_waits_is_late_too(clock: Clock, status: str) -> None:
    job = make_job(items=3, deadlines=Deadlines(due_at=NOON))
    if status == "paused":
        pause(job, actor=None)
    assert (late(job), job.status) == (True, status)


def test_a_finished_job_is_not_late(clock: Clock) -> None:
    job = due_in(60)
    complete(phase_of(job), 3)
    clock.forward(100)
    assert not late(job)
    assert lateness(job) == ["job.completed"]


def test_expected_seconds_count_from_the_start(clock: Clock) -> None:
    job = make_job(items=3, deadlines=Deadlines(expected_seconds=60))
    assert job.due_at is None
    clock.forward(1000)
    assert not late(job)
    take(phase_of(job), 1)
    assert fresh(job).due_at == clock.now + timedelta(seconds=60)
    clock.forward(60)
    assert late(job)


def test_a_due_time_and_expected_seconds_exclude_each_other() -> None:
    with pytest.raises(BadInput) as refused:
        make_job(items=1, deadlines=Deadlines(due_at=NOON, expected_seconds=5))
    assert set(refused.value.errors) == {"due_at", "expected_seconds"}
    assert not Job.objects.exists()


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_the_end_of_a_late_job_closes_its_lateness(clock: Clock, end: str) -> None:
    job = due_in(0, on_shortfall="fail")
    assert late(job)
    if end == "cancelled":
        cancel(job, actor=None)
    else:
        settle(phase_of(job), [end] * 2, start=1)
    assert (fresh(job).late, job.status) == (False, end)
    assert lateness(job) == ["job.late", f"job.{end}"]


def test_a_job_that_goes_on_after_its_due_time_is_late_again(clock: Clock) -> None:
    job = due_in(0, on_shortfall="fail")
    assert late(job)
    settle(phase_of(job), ["failed"] * 2, start=1)
    retry(job, actor=None)
    assert late(job)
    assert lateness(job) == ["job.late", "job.failed", "job.late"]
    force_complete(job, actor=None, reason="enough")
    restart(job, phase="items", actor=None)
    assert late(job)


# --- the act ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"due_at": NOON + timedelta(hours=2)}, "due_moved"),
        ({"expected_seconds": 7200}, "due_moved"),
        ({}, "due_removed"),
    ],
)
def test_a_late_job_that_gets_time_again_is_on_time_again(clock: Clock, given: Any, reason: str) -> None:
    job = due_in(0)
    assert late(job)
    clock.forward(60)
    assert set_due(job, actor=operator("set_due"), reason="The customer agreed.", **given).changed == 1
    assert not fresh(job).late
    [event] = outward(job, "job.on_time_again")
    assert (event["reason"], event["due_at"] is None) == (reason, not given)
    assert lateness(job) == ["job.late", "job.on_time_again"]
    assert not late(job)


def test_a_due_time_that_is_past_as_well_leaves_the_job_late(clock: Clock) -> None:
    job = due_in(0)
    assert late(job)
    clock.forward(600)
    set_due(job, due_at=NOON + timedelta(seconds=300), actor=None)
    assert fresh(job).late
    assert lateness(job) == ["job.late"]


def test_a_new_due_time_is_counted_from_the_start_of_a_running_job(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    clock.forward(600)
    set_due(job, expected_seconds=900, actor=None)
    assert fresh(job).due_at == NOON + timedelta(seconds=900)
    again = set_due(job, expected_seconds=900, actor=None)
    assert (again.changed, again.detail) == (0, f"The due time of {job.name} is 15 min after the start already.")


def test_the_due_time_of_a_finished_job_stays(clock: Clock) -> None:
    job = make_job(items=1, done=1)
    with pytest.raises(WrongState, match="is completed; due is possible while it is pending, processing or paused"):
        set_due(job, expected_seconds=5, actor=None)


def test_the_act_needs_its_permission_and_one_due_time_at_most(clock: Clock) -> None:
    job = due_in(60)
    with pytest.raises(NotPermitted, match="set_due_job"):
        set_due(job, actor=operator("pause"))
    for wrong in (
        {"due_at": NOON, "expected_seconds": 5},
        {"due_at": datetime(2026, 3, 2, 12)},
        {"due_at": datetime.max.replace(tzinfo=UTC)},
        {"expected_seconds": 0},
        {"expected_seconds": 31_536_001},
    ):
        with pytest.raises(BadInput):
            set_due(job, actor=None, **wrong)
    assert fresh(job).due_at == NOON + timedelta(seconds=60)


def test_the_diagnosis_names_how_late_a_job_is(clock: Clock) -> None:
    job = due_in(0)
    clock.forward(2400)
    tracking.heartbeat(job, worker="w1", by=WORKER)
    assert late(job)
    found = diagnose(snapshot_of(fresh(job)))
    assert (found.question, found.pressing) == ("Why late", True)
    assert "Late 40 min: it was due at 12:00:00 UTC." in [cause.detail for cause in found.causes]
    assert "due" in [remedy.action for remedy in found.remedies]


# --- limits of silence and standstill ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "own", "limit"),
    [
        ([], None, None),
        ([], 30, 30),
        ([None], None, None),
        ([None], 30, 30),
        ([10], 30, 10),
        ([10, 20], None, 20),
        ([10, None], None, None),
        ([900, None], None, 900),
        ([10, None], 30, 30),
        ([600], None, 600),
    ],
)
def test_the_phase_that_may_be_quiet_for_longest_decides(running: Any, own: int | None, limit: int | None) -> None:
    assert limit_of(running, own=own, preset=600) == limit


def test_a_job_has_its_own_time_of_silence(clock: Clock) -> None:
    job = make_job(items=3, done=1, deadlines=Deadlines(silent_after=5))
    slow = make_job(items=3, done=1, deadlines=Deadlines(silent_after=1500))
    clock.forward(5)
    assert stuck(job) == ""
    clock.forward(1)
    assert stuck(job) == "silent"
    clock.forward(1494)
    assert stuck(slow) == ""
    clock.forward(1)
    assert stuck(slow) == "silent"


def test_a_running_phase_has_its_own_times_and_the_next_phase_has_others(clock: Clock) -> None:
    first = PhaseSpec(code="fit", silent_after=20_000, stalled_after=10_000)
    job = pipeline(first, PhaseSpec(code="merge", gated=True), deadlines=Deadlines(silent_after=15_000))
    tracking.start(phase_of(job, "fit"), by=WORKER)
    assert (fresh(job).silent_limit, job.stalled_limit) == (20_000, 10_000)
    clock.forward(10_000)
    assert stuck(job) == ""
    clock.forward(1)
    assert stuck(job) == "stalled"
    tracking.finish(phase_of(job, "fit"), by=WORKER)
    tracking.start(phase_of(job, "merge"), by=WORKER)
    assert (fresh(job).silent_limit, job.stalled_limit) == (15_000, None)


def test_a_changed_setting_holds_for_jobs_without_times_of_their_own(clock: Clock, settings: Any) -> None:
    job = make_job(items=3, done=1)
    settings.JOB_SILENT_AFTER = 5
    clock.forward(6)
    assert stuck(job) == "silent"


def test_what_was_stuck_says_that_it_is_no_longer(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    clock.forward(601)
    assert stuck(job) == "silent"
    tracking.heartbeat(job, worker="w1", by=WORKER)
    [event] = outward(job, "job.unstuck")
    assert (event["status"], event["reason"]) == ("processing", "silent")


# --- progress inside an item ---------------------------------------------------------------------------


def beat(job: Job, *, worker: str = "w1", **said: Any) -> None:
    tracking.heartbeat(job, worker=worker, by=Actor(name=worker), **said)


@pytest.mark.parametrize("said", [{"progress": 50}, {"message": "page 2"}, {"message": "page 1", "progress": 41}])
def test_another_message_or_progress_in_a_heartbeat_is_progress(clock: Clock, said: Any) -> None:
    job = make_job(items=3, done=1)
    beat(job, message="page 1", progress=40)
    clock.forward(1700)
    beat(job, **said)
    revision = fresh(job).revision
    assert job.progress_at == clock.now
    clock.forward(1700)
    beat(job)
    assert stuck(job) == ""
    assert job.revision == revision


def test_the_same_message_and_progress_again_are_none(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    beat(job, message="page 1", progress=40)
    for said in ({"message": "page 1"}, {"progress": 40}, {"message": "page 1", "progress": 40}, {}):
        clock.forward(451)
        beat(job, **said)
    assert stuck(job) == "stalled"
    beat(job, progress=41)
    assert fresh(job).stuck == ""


def test_the_progress_of_another_worker_or_account_is_its_own(clock: Clock) -> None:
    job = make_job(items=3, done=1)
    beat(job, progress=40)
    clock.forward(10)
    beat(job, worker="w2", progress=40)
    assert fresh(job).progress_at == clock.now
    account = operator()
    clock.forward(10)
    tracking.heartbeat(job, worker="w1", progress=40, by=Actor(account=account, name="w1"))
    assert fresh(job).progress_at == clock.now
    assert sorted(Worker.objects.values_list("name", "progress")) == [("w1", 40), ("w1", 40), ("w2", 40)]


def test_a_heartbeat_without_progress_keeps_the_last_one_and_another_project_forgets_it(clock: Clock) -> None:
    job, other = make_job(items=3, done=1), make_job(items=3, done=1, project="other")
    beat(job, progress=40)
    beat(job, message="page 2")
    assert Worker.objects.get(name="w1").progress == 40
    beat(other)
    assert Worker.objects.get(name="w1").progress is None
