"""Operators on jobs: force-complete, fail, cancel, pause, resume, restart."""

from __future__ import annotations

import pytest

from jobs import operations, tracking, watchdog
from jobs.models import Item
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from tests.factories import (
    WORKER,
    complete,
    item_of,
    job_in,
    listed,
    make_job,
    new_items,
    operator,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
    types,
)

pytestmark = pytest.mark.django_db


# --- force-complete, fail, cancel --------------------------------------------------------------------


def test_force_complete_sends_one_forced_event_per_open_phase_then_that_of_the_job() -> None:
    job = pipeline(PhaseSpec("a", expected=20), PhaseSpec("b"), PhaseSpec("c", gated=True), PhaseSpec("d", expected=0))
    complete(phase_of(job, "a"), 12)
    answer = operations.force_complete(job, actor=None, reason="good enough")
    assert answer.changed == 3
    assert types(job, outward=True) == ["d.completed", "a.completed", "b.completed", "c.completed", "job.completed"]
    [event] = outward(job, "a.completed")
    assert (event["total_assets"], event["processed_assets"], event["forced"]) == (20, 12, True)
    assert (event["has_partial_completion"], event["completed_by"]) == (True, "forced")
    assert [phase_of(job, code).expected for code in "abcd"] == [20, 0, 0, 0]
    job.refresh_from_db()
    assert (job.status, job.percent, job.partial, job.stage) == ("completed", 100, True, "Completed")


def test_a_second_force_complete_does_nothing() -> None:
    job = make_job(items=20, done=12)
    changed = [operations.force_complete(job, actor=None, reason="enough").changed for _ in range(2)]
    assert changed == [1, 0]
    assert len(outward(job, "items.completed")) == 1


def test_a_second_force_complete_of_one_phase_does_nothing() -> None:
    job = pipeline(PhaseSpec("a", expected=20), PhaseSpec("b", expected=20))
    acts = [operations.force_complete(job, phase="a", actor=None, reason="enough") for _ in range(2)]
    assert [act.changed for act in acts] == [1, 0]
    assert "a" in acts[1].detail
    assert (len(outward(job, "a.completed")), phase_of(job, "b").status) == (1, "pending")


def test_force_complete_of_a_completed_phase_is_refused() -> None:
    job = pipeline(PhaseSpec("a", expected=0), PhaseSpec("b", expected=20))
    with pytest.raises(WrongState, match=r"a is completed.*pending"):
        operations.force_complete(job, phase="a", actor=None, reason="enough")


def test_force_complete_revokes_leases_and_keeps_what_is_done() -> None:
    job = make_job(items=5, done=2, failed=1)
    settle(phase_of(job), ["processing"], start=4)
    operations.force_complete(job, actor=None, reason="enough")
    phase = phase_of(job)
    assert (phase.done, phase.failed, phase.processing, phase.expected) == (2, 1, 0, 5)
    assert tell(phase, "k4", "completed", attempt=1).outcome == "closed"


def test_force_complete_of_a_failed_job_completes_its_failed_phases() -> None:
    job = make_job(items=2, done=1, failed=1, on_shortfall="fail")
    assert operations.force_complete(job, actor=None, reason="the file is lost").changed == 1
    assert (phase_of(job).status, phase_of(job).error) == ("completed", "")
    assert types(job, outward=True)[-2:] == ["items.completed", "job.completed"]


def test_force_complete_of_what_is_all_done_but_unannounced_is_not_partial() -> None:
    job = make_job()
    complete(phase_of(job), 3)
    operations.force_complete(job, actor=None, reason="that was all")
    job.refresh_from_db()
    assert (job.partial, phase_of(job).forced, phase_of(job).completed_by) == (False, True, "all_done")


def test_fail_ends_the_open_phases_with_the_reason_as_their_error() -> None:
    job = pipeline(PhaseSpec("a", expected=1), PhaseSpec("b", expected=5), PhaseSpec("c", gated=True))
    complete(phase_of(job, "a"), 1)
    take(listed(job, 5, code="b"), 2)
    assert operations.fail(job, actor=None, reason="wrong input").changed == 1
    assert [phase_of(job, code).status for code in "abc"] == ["completed", "failed", "failed"]
    assert outward(job, "b.failed")[0]["error"] == "wrong input"
    assert types(job, outward=True) == ["a.completed", "b.failed", "c.failed", "job.failed"]
    assert not Item.objects.held().exists()


def test_a_failed_job_is_opened_again_by_restart() -> None:
    job = make_job(items=3, done=1)
    operations.fail(job, actor=None, reason="wrong input")
    operations.restart(job, phase="items", actor=None)
    job.refresh_from_db()
    assert (job.status, job.error) == ("pending", "")


def test_cancel_stops_everything_and_keeps_what_is_counted() -> None:
    job, actor = make_job(items=20, done=10), operator("cancel")
    take(phase_of(job), 5)
    assert operations.cancel(job, actor=actor, reason="wrong batch").changed == 1
    job.refresh_from_db()
    assert (job.status, job.finished_at is not None, phase_of(job).done, phase_of(job).status) == (
        "cancelled", True, 10, "cancelled",
    )  # fmt: skip
    [event] = outward(job, "job.cancelled")
    assert (event["status"], event["reason"], event["job_id"]) == ("cancelled", "wrong batch", job.name)
    assert operations.cancel(job, actor=actor).changed == 0
    assert types(job, outward=True) == ["job.cancelled"]


def test_cancel_leaves_completed_phases_completed() -> None:
    job = pipeline(PhaseSpec("a", expected=1), PhaseSpec("b", expected=5))
    complete(phase_of(job, "a"), 1)
    operations.cancel(job, actor=None)
    assert [phase_of(job, code).status for code in "ab"] == ["completed", "cancelled"]


def test_cancel_of_a_failed_job_is_cancelled() -> None:
    job = job_in("failed")
    operations.cancel(job, actor=None)
    job.refresh_from_db()
    assert (job.status, job.stage) == ("cancelled", "Cancelled")


# --- pause and resume --------------------------------------------------------------------------------


def test_a_paused_job_gives_no_items_and_a_resumed_one_does() -> None:
    job = make_job(items=3)
    operations.pause(job, actor=None)
    assert tracking.claim(phase_of(job), worker="w1", by=WORKER).reason == "paused"
    operations.resume(job, actor=None)
    assert len(take(phase_of(job))) == 3


def test_items_may_be_added_and_retried_while_the_job_is_paused() -> None:
    job = make_job(items=3, failed=1)
    operations.pause(job, actor=None)
    listed(job, 5)
    assert operations.retry(job, actor=None).changed == 1
    job.refresh_from_db()
    assert (job.status, phase_of(job).expected) == ("paused", 5)


# --- restart -----------------------------------------------------------------------------------------


def test_restart_is_a_new_run_in_which_all_but_skipped_items_are_pending_again() -> None:
    job = make_job(items=6, done=2, failed=1, skipped=1)
    settle(phase_of(job), ["processing"], start=4)
    assert operations.restart(job, phase="items", actor=None).changed == 4
    phase = phase_of(job)
    assert (phase.run, phase.status, phase.expected, phase.skipped, phase.counts.settled) == (2, "pending", 6, 1, 1)
    assert set(Item.objects.values_list("status", flat=True)) == {"pending", "skipped"}
    assert item_of(job, "k0").result == {}
    assert watchdog.recount() == []


def test_restart_of_only_the_failed_keeps_what_is_done() -> None:
    job = make_job(items=4, done=2, failed=1, skipped=1)
    assert operations.restart(job, phase="items", only="failed", actor=None).changed == 1
    phase = phase_of(job)
    assert (phase.run, phase.done, phase.failed, phase.skipped) == (2, 2, 0, 1)
    complete(phase, 1, start=2)
    assert (phase_of(job).status, len(outward(job, "items.completed"))) == ("completed", 2)


@pytest.mark.parametrize("state", ["completed", "processing", "pending"])
def test_restart_of_only_the_failed_with_none_failed_does_nothing(state: str) -> None:
    job = job_in(state)
    answer = operations.restart(job, phase="items", only="failed", actor=None)
    assert (answer.changed, phase_of(job).run) == (0, 1)


def test_restart_begins_a_new_run_of_every_later_gated_phase_and_of_no_other() -> None:
    job = pipeline(
        PhaseSpec("a", expected=1),
        PhaseSpec("b", expected=1),
        PhaseSpec("c", expected=1),
        PhaseSpec("d", expected=1, gated=True),
    )
    for code in "abcd":
        complete(phase_of(job, code), 1)
    operations.restart(job, phase="b", actor=None)
    assert [phase_of(job, code).run for code in "abcd"] == [1, 2, 1, 2]
    assert [phase_of(job, code).status for code in "abcd"] == ["completed", "pending", "completed", "pending"]
    for code in "bd":
        complete(phase_of(job, code), 1)
    assert len(outward(job, "job.completed")) == 2


def test_restart_of_only_the_failed_begins_later_gated_phases_from_nothing() -> None:
    job = pipeline(PhaseSpec("a", expected=3), PhaseSpec("b", expected=2, gated=True))
    settle(phase_of(job, "a"), ["completed", "completed", "failed"])
    complete(phase_of(job, "b"), 2)
    operations.restart(job, phase="a", only="failed", actor=None)
    assert (phase_of(job, "a").done, phase_of(job, "b").done) == (2, 0)
    assert set(phase_of(job, "b").items.values_list("status", flat=True)) == {"pending"}


def test_restart_opens_a_cancelled_job_again() -> None:
    job = job_in("cancelled")
    operations.restart(job, phase="items", actor=None)
    job.refresh_from_db()
    assert (job.status, job.held, job.finished_at) == ("pending", "", None)
    complete(phase_of(job), 3)
    job.refresh_from_db()
    assert job.status == "completed"


def test_restart_of_one_phase_of_a_cancelled_job_leaves_the_others_cancelled() -> None:
    job = pipeline(PhaseSpec("a", expected=1), PhaseSpec("b", expected=1, on_shortfall=Shortfall.FAIL))
    operations.cancel(job, actor=None)
    operations.restart(job, phase="a", actor=None)
    complete(phase_of(job, "a"), 1)
    job.refresh_from_db()
    assert (job.status, phase_of(job, "b").status) == ("cancelled", "cancelled")


def test_a_forced_total_does_not_complete_the_restarted_list_early() -> None:
    job = tracking.create_job(name="open-list", by=WORKER).job
    tracking.add_items(phase_of(job), items=new_items(5), by=WORKER)
    complete(phase_of(job), 2)
    operations.force_complete(job, actor=None, reason="in a hurry")
    assert phase_of(job).expected == 2
    operations.restart(job, phase="items", actor=None)
    complete(phase_of(job), 2)
    assert (phase_of(job).expected, phase_of(job).status) == (5, "processing")
