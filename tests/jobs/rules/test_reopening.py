"""Reopening: new items for a finished phase begin a new run of it and of the gated phases behind."""

from __future__ import annotations

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import cancel
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from tests.factories import (
    WORKER,
    announce,
    complete,
    finished_job,
    listed,
    make_job,
    new_items,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
    types,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_reopening_starts_a_new_run_that_keeps_what_is_settled(state: str) -> None:
    job = finished_job(state)
    phase = listed(job, 4, reopen=True)
    assert (phase.run, phase.status, phase.expected, phase.counts.settled) == (2, "processing", 4, 2)
    assert (phase.completed_at, phase.completed_by, phase.partial) == (None, "", False)
    assert phase.job.status == "processing"


@pytest.mark.parametrize("state", ["forced", "cancelled"])
def test_a_forced_or_cancelled_phase_cannot_be_reopened(state: str) -> None:
    job = finished_job(state)
    with pytest.raises(WrongState, match="restart"):
        listed(job, 4, reopen=True)
    assert phase_of(job).run == 1


def test_a_reopened_phase_completes_once_more_with_an_event_of_its_own() -> None:
    job = make_job(items=2, done=2)
    listed(job, 3, reopen=True)
    complete(phase_of(job), 3)
    events = outward(job, "items.completed")
    assert [event["total_assets"] for event in events] == [2, 3]
    assert len({event["event_id"] for event in events}) == 2
    assert types(job, outward=True).count("job.completed") == 2


def test_a_reopened_phase_waits_for_the_new_items_whatever_was_announced() -> None:
    job = make_job()
    announce(job, 3)
    complete(phase_of(job), 3)
    phase = listed(job, 5, reopen=True)
    assert (phase.run, phase.status, phase.expected, phase.announced) == (2, "processing", 5, False)
    complete(phase, 1, start=3)
    assert phase_of(job).status == "processing"
    complete(phase, 1, start=4)
    events = outward(job, "items.completed")
    assert [(event["total_assets"], event["processed_assets"]) for event in events] == [(3, 3), (5, 5)]


def test_a_reopened_list_that_was_finished_by_name_waits_for_the_new_items() -> None:
    job = make_job()
    listed(job, 2)
    tracking.finish(phase_of(job), by=WORKER)
    complete(phase_of(job), 2)
    assert phase_of(job).status == "completed"
    phase = listed(job, 3, reopen=True)
    assert (phase.status, phase.expected, types(job, outward=True).count("items.completed")) == ("processing", 3, 1)
    complete(phase, 1, start=2)
    assert phase_of(job).job.status == "completed"


def test_a_reopened_run_whose_threshold_is_met_as_it_begins_waits_for_its_new_items() -> None:
    job = make_job(items=20, done=20, threshold=90, trigger="at_threshold")
    phase = listed(job, 22, reopen=True)
    assert (phase.run, phase.status, phase.expected) == (2, "processing", 22)
    complete(phase, 1, start=20)
    assert phase_of(job).status == "processing"
    settle(phase_of(job), ["failed"], start=21)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "settled")
    assert types(job, outward=True).count("items.completed") == 2


def test_a_reopened_run_whose_threshold_is_not_met_yet_completes_at_it() -> None:
    job = make_job(items=10, done=10, threshold=90, trigger="at_threshold")
    phase = listed(job, 20, reopen=True)
    complete(phase, 7, start=10)
    assert phase_of(job).status == "processing"
    complete(phase, 1, start=17)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "threshold")


def test_a_new_total_ends_the_wait_for_every_item_of_a_reopened_run() -> None:
    job = make_job(items=20, done=20, threshold=90, trigger="at_threshold")
    listed(job, 22, reopen=True)
    announce(job, 40)
    complete(phase_of(job), 16, start=20)
    assert (phase_of(job).status, phase_of(job).completed_by, phase_of(job).done) == ("processing", "", 22)


def test_a_larger_total_than_the_list_is_kept_when_a_phase_is_reopened(clock: Clock) -> None:
    job = make_job()
    announce(job, 10)
    complete(phase_of(job), 5)
    watchdog.pass_watermarks(clock.forward(900))
    phase = listed(job, 6, reopen=True)
    assert (phase.expected, phase.announced, phase.status, phase.deadline_at) == (10, False, "processing", None)


def chain(*, merged: bool) -> Job:
    """Make a job with two done chunks, and their merge behind them: completed, or leased by a worker."""
    job = pipeline(PhaseSpec("ocr"), PhaseSpec("merge", gated=True, expected=1), items=new_items(2))
    listed(job, 1, code="merge")
    complete(phase_of(job), 2)
    assert len(take(phase_of(job, "merge"))) == 1
    if merged:
        assert tell(phase_of(job, "merge"), "k0", "completed").outcome == "applied"
    return job


@pytest.mark.parametrize("merged", [True, False])
def test_reopening_an_earlier_phase_begins_a_new_run_of_each_later_gated_one(merged: bool) -> None:
    job = chain(merged=merged)
    before = types(job, outward=True).count("job.completed")
    listed(job, 3, reopen=True)
    merge = phase_of(job, "merge")
    assert (merge.run, merge.status, merge.gate_open, merge.processing, merge.done) == (2, "pending", False, 0, 0)
    assert tell(merge, "k0", "completed", attempt=1).outcome == "closed"
    complete(phase_of(job), 1, start=2)
    assert (phase_of(job, "merge").gate_open, phase_of(job).job.status) == (True, "processing")
    assert tell(phase_of(job, "merge"), "k0", "completed", attempt=1).outcome == "stale"
    [again] = take(phase_of(job, "merge"))
    assert tell(phase_of(job, "merge"), "k0", "completed", attempt=again.attempt).outcome == "applied"
    assert phase_of(job).job.status == "completed"
    assert types(job, outward=True).count("job.completed") == before + 1
    assert len({event["event_id"] for event in outward(job, "merge.completed")}) == 1 + merged


def test_a_completed_phase_of_a_cancelled_job_cannot_be_reopened() -> None:
    job = pipeline(PhaseSpec("items"), PhaseSpec("rest"), items=new_items(1))
    complete(phase_of(job), 1)
    cancel(job, actor=None)
    with pytest.raises(WrongState, match="cancelled"):
        listed(job, 2, code="items", reopen=True)
    assert phase_of(job, "items").run == 1
