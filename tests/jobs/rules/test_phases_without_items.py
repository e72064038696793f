"""Phases without items: started, counted and finished by name."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from jobs import tracking
from jobs.models import Job, Phase
from jobs.operations import cancel, force_complete, restart
from jobs.rules.errors import BadInput, Conflict, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from jobs.serializers import job_body
from tests.factories import WORKER, complete, listed, make_job, outward, phase_of, pipeline, types
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
Verb = Callable[[Phase], object]

VERBS: dict[str, Verb] = {
    "start": lambda phase: tracking.start(phase, by=WORKER),
    "finish": lambda phase: tracking.finish(phase, by=WORKER),
    "fail": lambda phase: tracking.fail(phase, error="no memory", by=WORKER),
    "count": lambda phase: tracking.count(phase, done=1, event_id=uuid4(), by=WORKER),
}


def clustering() -> Job:
    return pipeline(PhaseSpec("clustering", stage="Clustering", on_shortfall=Shortfall.FAIL))


def numbered(job: Job, **numbers: int) -> None:
    tracking.count(phase_of(job), event_id=uuid4(), by=WORKER, **numbers)


def test_running_with_an_unknown_total_is_a_state_of_its_own_and_has_no_percent(clock: Clock) -> None:
    job = clustering()
    tracking.start(phase_of(job), by=WORKER)
    [body] = job_body(phase_of(job).job)["phases"]
    assert (body["status"], body["expected"], body["percent"], body["pending"]) == ("processing", None, None, None)
    assert body["started_at"] == clock.now
    assert (phase_of(job).job.status, phase_of(job).job.percent) == ("processing", 0)


def test_starting_again_changes_nothing(clock: Clock) -> None:
    job = clustering()
    started = tracking.start(phase_of(job), by=WORKER)
    revision = phase_of(job).job.revision
    clock.forward(60)
    again = tracking.start(phase_of(job), by=WORKER)
    assert (again.started_at, phase_of(job).job.revision) == (started.started_at, revision)
    assert phase_of(job).job.heartbeat_at == clock.now


def test_finish_with_an_unknown_total_takes_what_was_counted_as_expected() -> None:
    job = clustering()
    numbered(job, done=5)
    tracking.finish(phase_of(job), by=WORKER)
    phase = phase_of(job)
    assert (phase.status, phase.expected, phase.done, phase.completed_by) == ("completed", 5, 5, "all_done")
    assert (phase.job.status, phase.job.percent, phase.partial) == ("completed", 100, False)


def test_finish_with_nothing_counted_is_complete_with_0_of_0() -> None:
    job = clustering()
    tracking.start(phase_of(job), by=WORKER)
    tracking.finish(phase_of(job), by=WORKER)
    [event] = outward(job, "clustering.completed")
    assert (event["total_assets"], event["processed_assets"], event["has_partial_completion"]) == (0, 0, False)


@pytest.mark.parametrize("failed", [0, 2])
def test_finish_below_the_total_is_complete_and_partial(failed: int) -> None:
    job = clustering()
    tracking.announce(phase_of(job), expected=10, by=WORKER)
    numbered(job, done=7, failed=failed)
    tracking.finish(phase_of(job), by=WORKER)
    phase = phase_of(job)
    assert (phase.status, phase.completed_by, phase.partial, phase.expected) == ("completed", "finished", True, 10)
    assert outward(job, "clustering.completed")[0]["completed_by"] == "finished"


def test_finish_of_what_was_never_started_is_fine() -> None:
    job = clustering()
    tracking.finish(phase_of(job), by=WORKER)
    assert phase_of(job).started_at is not None


def test_finish_and_fail_may_be_repeated() -> None:
    finished, failed = clustering(), clustering()
    for _ in range(2):
        tracking.finish(phase_of(finished), by=WORKER)
        tracking.fail(phase_of(failed), error="no memory", by=WORKER)
    assert types(finished, outward=True) == ["clustering.completed", "job.completed"]
    assert types(failed, outward=True) == ["clustering.failed", "job.failed"]


def test_a_failure_is_told_with_its_sentence() -> None:
    job = clustering()
    tracking.start(phase_of(job), by=WORKER)
    tracking.fail(phase_of(job), error="no memory", by=WORKER)
    assert (phase_of(job).status, phase_of(job).error) == ("failed", "no memory")
    assert (phase_of(job).job.status, phase_of(job).job.error) == ("failed", "Clustering failed: no memory")
    assert outward(job, "clustering.failed")[0]["error"] == "no memory"


def test_a_failure_without_a_text_is_an_unknown_error_and_a_long_one_is_cut() -> None:
    silent, loud = clustering(), clustering()
    tracking.fail(phase_of(silent), by=WORKER)
    tracking.fail(phase_of(loud), error="x" * 501, by=WORKER)
    assert (phase_of(silent).error, phase_of(loud).error) == ("unknown error", "x" * 500)


@pytest.mark.parametrize("verb", ["start", "finish", "count"])
def test_a_failed_phase_without_items_goes_on_only_by_restart(verb: str) -> None:
    job = clustering()
    tracking.fail(phase_of(job), by=WORKER)
    with pytest.raises(WrongState, match=r"failed.*pending or processing"):
        VERBS[verb](phase_of(job))
    assert restart(job, phase="clustering", actor=None, reason="more memory").changed == 1
    VERBS[verb](phase_of(job))
    assert phase_of(job).run == 2


@pytest.mark.parametrize("verb", ["start", "finish", "fail", "count"])
def test_a_cancelled_phase_takes_nothing(verb: str) -> None:
    job = clustering()
    cancel(job, actor=None)
    with pytest.raises(WrongState, match="cancelled"):
        VERBS[verb](phase_of(job))
    assert phase_of(job).status == "cancelled"


def test_a_forced_phase_takes_no_counts() -> None:
    job = clustering()
    numbered(job, done=3)
    force_complete(job, actor=None, reason="enough")
    for verb in ("count", "fail"):
        with pytest.raises(WrongState, match="force-completed"):
            VERBS[verb](phase_of(job))
    assert phase_of(job).done == 3


def test_a_completed_phase_of_a_cancelled_job_takes_no_counts() -> None:
    job = pipeline(PhaseSpec("clustering", expected=5, threshold=50), PhaseSpec("naming"))
    numbered(job, done=5)
    cancel(job, actor=None)
    with pytest.raises(WrongState, match="cancelled"):
        numbered(job, done=1)
    assert phase_of(job).done == 5


def test_a_completed_phase_can_no_longer_fail() -> None:
    job = clustering()
    tracking.finish(phase_of(job), by=WORKER)
    with pytest.raises(WrongState, match=r"completed.*pending or processing"):
        tracking.fail(phase_of(job), by=WORKER)
    tracking.start(phase_of(job), by=WORKER)
    assert phase_of(job).status == "completed"


@pytest.mark.parametrize("verb", ["start", "fail", "count"])
@pytest.mark.parametrize("fill", [lambda job: listed(job, 2), lambda job: complete(phase_of(job), 2)])
def test_start_fail_and_count_are_refused_where_there_are_items(fill: Callable[[Job], object], verb: str) -> None:
    job = make_job(expected=10)
    fill(job)
    with pytest.raises(WrongState, match="has items"):
        VERBS[verb](phase_of(job))


def test_finish_is_refused_where_there_are_items_and_a_total() -> None:
    job = make_job(items=3, done=1)
    with pytest.raises(WrongState, match="has items"):
        tracking.finish(phase_of(job), by=WORKER)


def test_late_counts_after_the_threshold_are_shown_and_send_nothing() -> None:
    job = pipeline(PhaseSpec("fit", expected=10, threshold=50), threshold=50)
    numbered(job, done=5, failed=5)
    numbered(job, done=2)
    assert (phase_of(job).done, len(outward(job, "fit.completed"))) == (7, 1)


def test_counts_have_a_largest_sum() -> None:
    job = clustering()
    numbered(job, done=2**53 - 1)
    with pytest.raises(BadInput):
        numbered(job, done=2)
    assert phase_of(job).done == 2**53 - 1
    numbered(job, done=1)


def test_a_restart_begins_the_count_from_nothing() -> None:
    job = clustering()
    numbered(job, done=5, failed=1, skipped=2)
    tracking.finish(phase_of(job), by=WORKER)
    restart(job, phase="clustering", actor=None)
    phase = phase_of(job)
    assert (phase.counts.settled, phase.status, phase.run, phase.started_at) == (0, "pending", 2, None)
    numbered(job, done=1)
    assert phase_of(job).done == 1


def test_a_restarted_phase_is_counted_again_with_the_same_event_ids() -> None:
    """A worker that derives its ids from its work sends the same ones in every run."""
    job = clustering()
    ids = [UUID(int=number) for number in (1, 2)]
    for run in (1, 2, 3):
        for event_id in (*ids, *ids):
            tracking.count(phase_of(job), done=2, event_id=event_id, by=WORKER)
        assert (phase_of(job).run, phase_of(job).done) == (run, 4)
        with pytest.raises(Conflict, match="other numbers"):
            tracking.count(phase_of(job), done=3, event_id=ids[0], by=WORKER)
        restart(job, phase="clustering", actor=None)


@pytest.mark.parametrize("done", [0, 5])
def test_what_it_was_finished_with_does_not_complete_the_next_run(done: int) -> None:
    job = clustering()
    numbered(job, done=done)
    tracking.finish(phase_of(job), by=WORKER)
    restart(job, phase="clustering", actor=None)
    assert (phase_of(job).status, phase_of(job).expected) == ("pending", None)
    numbered(job, done=7)
    assert phase_of(job).status == "processing"
    tracking.finish(phase_of(job), by=WORKER)
    assert (phase_of(job).status, phase_of(job).expected) == ("completed", 7)


def test_an_announced_total_is_kept_by_a_restart() -> None:
    job = clustering()
    tracking.announce(phase_of(job), expected=10, by=WORKER)
    numbered(job, done=10)
    restart(job, phase="clustering", actor=None)
    assert (phase_of(job).status, phase_of(job).expected) == ("pending", 10)


def test_it_goes_from_pending_to_running_to_completed_with_its_times(clock: Clock) -> None:
    job = clustering()
    assert phase_of(job).status == "pending"
    started = clock.forward(10)
    tracking.start(phase_of(job), by=WORKER)
    finished = clock.forward(10)
    tracking.finish(phase_of(job), by=WORKER)
    assert (phase_of(job).started_at, phase_of(job).completed_at) == (started, finished)
    assert (phase_of(job).job.started_at, phase_of(job).job.finished_at) == (started, finished)
