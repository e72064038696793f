"""The status of a job: derived from the phases and stored, with a stage and an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from jobs import tracking
from jobs.models import Job
from jobs.operations import cancel, fail, force_complete, pause, restart, resume, retry
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from jobs.tracking import NewItem, Result
from tests.factories import (
    WORKER,
    complete,
    item_of,
    make_job,
    outcomes,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def ocr(chunks: int = 17) -> Job:
    """Make a document as the OCR pipeline has it."""
    job = pipeline(
        PhaseSpec("ocr", stage="Processing chunk {done}/{expected}", on_shortfall=Shortfall.FAIL),
        PhaseSpec("merge", stage="Merging OCR results", weight=0, gated=True, on_shortfall=Shortfall.FAIL),
    )
    pages = [(n * 25 + 1, min(n * 25 + 25, 422)) for n in range(chunks)]
    items = [NewItem(f"k{n}", f"Chunk {n + 1} (pages {a}-{b})") for n, (a, b) in enumerate(pages)]
    tracking.add_items(phase_of(job, "ocr"), items=items, by=WORKER)
    tracking.announce(phase_of(job, "ocr"), expected=chunks, by=WORKER)
    tracking.add_items(phase_of(job, "merge"), items=[NewItem("merge")], by=WORKER)
    tracking.announce(phase_of(job, "merge"), expected=1, by=WORKER)
    return fresh(job)


# --- status ------------------------------------------------------------------------------------------


def test_a_new_job_is_pending_until_something_is_claimed_reported_counted_or_started() -> None:
    claimed, reported, started = make_job(items=2), make_job(items=2), make_job()
    assert {job.status for job in (claimed, reported, started)} == {"pending"}
    take(phase_of(claimed), 1)
    tell(phase_of(reported), "k0", "skipped")
    tracking.start(phase_of(started), by=WORKER)
    assert [fresh(job).status for job in (claimed, reported, started)] == ["processing"] * 3


def test_a_refused_report_begins_nothing() -> None:
    job = make_job(items=2)
    assert outcomes(tracking.report(phase_of(job), results=[Result("x", "completed")], by=WORKER)) == ["invalid"]
    assert (fresh(job).status, job.started_at, phase_of(job).started_at) == ("pending", None, None)


def test_an_item_given_back_leaves_the_job_processing() -> None:
    job = make_job(items=1)
    take(phase_of(job))
    tell(phase_of(job), "k0", "pending")
    assert fresh(job).status == "processing"


def test_the_job_is_completed_with_its_last_phase() -> None:
    job = pipeline(PhaseSpec("a", expected=1), PhaseSpec("b", expected=1))
    complete(phase_of(job, "b"), 1)
    assert fresh(job).status == "processing"
    complete(phase_of(job, "a"), 1)
    assert (fresh(job).status, job.stage, job.finished_at is not None) == ("completed", "Completed", True)


def test_a_failed_chunk_leaves_the_job_processing_until_all_are_settled() -> None:
    job = ocr(3)
    settle(phase_of(job), ["completed", "failed"])
    assert (fresh(job).status, job.stage) == ("processing", "Processing chunk 1/3 · 1 failed")
    complete(phase_of(job), 1, start=2)
    assert (fresh(job).status, job.stage) == ("failed", "Failed")
    retry(job, actor=None)
    assert (fresh(job).status, job.stage, job.finished_at) == ("processing", "Processing chunk 2/3", None)


def test_a_failed_job_is_told_once_per_failure() -> None:
    job = ocr(1)
    settle(phase_of(job), ["failed"])
    settle(phase_of(job), ["failed"])
    assert len(outward(job, "job.failed")) == 1


def test_another_phase_that_can_go_on_keeps_the_job_from_failing() -> None:
    job = pipeline(PhaseSpec("a", expected=1, on_shortfall=Shortfall.FAIL), PhaseSpec("b", expected=1))
    settle(phase_of(job, "a"), ["failed"])
    assert fresh(job).status == "processing"
    complete(phase_of(job, "b"), 1)
    assert fresh(job).status == "failed"


def test_a_pause_and_a_cancel_outrank_everything_but_completion() -> None:
    job = make_job(items=2, done=1)
    pause(job, actor=None)
    assert fresh(job).status == "paused"
    complete(phase_of(job), 1, start=1)
    assert fresh(job).status == "completed"


def test_what_is_held_in_a_paused_job_may_be_reported_and_nothing_new_is_begun() -> None:
    job = make_job(items=3)
    take(phase_of(job), 1)
    pause(job, actor=None)
    assert tell(phase_of(job), "k1", "processing").outcome == "closed"
    assert tell(phase_of(job), "k0", "processing").outcome == "duplicate"
    assert tell(phase_of(job), "k0", "completed", attempt=1).outcome == "applied"
    assert (fresh(job).status, phase_of(job).done) == ("paused", 1)


def test_a_job_that_completes_while_paused_is_no_longer_paused() -> None:
    """Its open items are claimable by name, and a restart is not paused."""
    job = make_job(items=10, threshold=90, trigger="at_threshold")
    pause(job, actor=None)
    complete(phase_of(job), 9)
    assert (fresh(job).status, job.held) == ("completed", "")
    assert [item.key for item in take(phase_of(job))] == ["k9"]
    restart(job, phase="items", actor=None)
    assert fresh(job).status == "pending"


def test_a_paused_job_whose_phases_have_all_failed_is_failed_after_the_resume() -> None:
    job = make_job(items=1, on_shortfall="fail")
    pause(job, actor=None)
    tell(phase_of(job), "k0", "failed", error="bad file")
    assert (fresh(job).status, job.stage) == ("paused", "Failed")
    resume(job, actor=None)
    assert (fresh(job).status, job.error) == ("failed", "k0 failed: bad file")


def test_reports_to_a_cancelled_job_are_closed_and_change_nothing() -> None:
    job = make_job(items=20, done=10)
    take(phase_of(job), 5)
    cancel(job, actor=None, reason="wrong input")
    before = (phase_of(job).counts, fresh(job).status, job.revision)
    answer = tracking.report(
        phase_of(job),
        results=[Result("k0", "failed"), Result("k10", "completed", 1), Result("new", "failed")],
        by=WORKER,
    )
    assert outcomes(answer) == ["closed", "closed", "closed"]
    assert answer.cancel_requested
    assert (phase_of(job).counts, fresh(job).status, job.revision) == before
    assert outward(job, "items.completed") == []


def test_started_at_does_not_move_and_finished_at_is_that_of_the_last_end(clock: Clock) -> None:
    job = make_job(items=2)
    first = clock.forward(5)
    complete(phase_of(job), 1)
    clock.forward(5)
    complete(phase_of(job), 2)
    assert (fresh(job).started_at, job.finished_at) == (first, clock.now)
    restart(job, phase="items", actor=None)
    assert (fresh(job).started_at, job.finished_at) == (first, None)
    clock.forward(5)
    complete(phase_of(job), 2)
    assert (fresh(job).started_at, job.finished_at) == (first, clock.now)


def test_progress_does_not_stop_the_job_when_an_operator_fails_one_of_many() -> None:
    job = make_job(items=2, done=1)
    fail(job, actor=None, reason="broken input")
    assert (fresh(job).status, job.error, job.stage) == ("failed", "Items failed: broken input", "Failed")


# --- stage -------------------------------------------------------------------------------------------


def test_the_stage_of_a_document_tells_its_chunks_then_its_merge() -> None:
    job = ocr()
    assert job.stage == "Processing chunk 0/17"
    complete(phase_of(job), 5)
    assert (fresh(job).stage, job.percent) == ("Processing chunk 5/17", 29)
    complete(phase_of(job), 10)
    tell(phase_of(job), "k10", "failed")
    tell(phase_of(job), "k11", "processing")
    assert (fresh(job).stage, job.percent) == ("Processing chunk 10/17 · 1 failed", 58)
    complete(phase_of(job), 17)
    assert (fresh(job).stage, job.status, job.percent) == ("Merging OCR results", "processing", 100)
    tell(phase_of(job, "merge"), "merge", "completed")
    assert (fresh(job).stage, job.status) == ("Completed", "completed")


def test_the_stage_is_of_the_first_unfinished_phase_that_has_begun() -> None:
    job = pipeline(PhaseSpec("a", stage="first", expected=2), PhaseSpec("b", stage="second {done}", expected=2))
    assert job.stage == "first"
    complete(phase_of(job, "b"), 1)
    assert fresh(job).stage == "second 1"
    complete(phase_of(job, "a"), 1)
    assert fresh(job).stage == "first"
    complete(phase_of(job, "a"), 2)
    assert fresh(job).stage == "second 1"


def test_the_stage_has_room_for_the_largest_numbers() -> None:
    job = pipeline(PhaseSpec("a", stage="{done}" * 83, expected=2**53))
    tracking.count(phase_of(job), done=2**53 - 1, event_id=uuid4(), by=WORKER)
    assert fresh(job).stage == ("9,007,199,254,740,991" * 83)[:599] + "…"


@pytest.mark.parametrize(("end", "stage"), [(cancel, "Cancelled"), (fail, "Failed"), (force_complete, "Completed")])
def test_the_stage_of_an_ended_job_is_its_status(end: Callable[..., Any], stage: str) -> None:
    job = ocr(3)
    end(job, actor=None, reason="enough")
    assert fresh(job).stage == stage


# --- error -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "error", "sentence"),
    [
        (4, "Document AI timeout", "Chunk 5 (pages 101-125) failed: Document AI timeout"),
        (0, "Network error", "Chunk 1 (pages 1-25) failed: Network error"),
        (16, "Invalid PDF", "Chunk 17 (pages 401-422) failed: Invalid PDF"),
    ],
)
def test_the_error_is_the_sentence_of_the_failed_item(index: int, error: str, sentence: str) -> None:
    job = ocr()
    tell(phase_of(job), f"k{index}", "failed", error=error)
    assert fresh(job).error == sentence


def test_the_error_is_that_of_the_latest_item_that_is_still_failed(clock: Clock) -> None:
    job = make_job(items=5)
    for key in ("k2", "k0", "k1"):
        clock.forward(1)
        tell(phase_of(job), key, "failed", error=f"error of {key}")
    assert fresh(job).error == "k1 failed: error of k1"
    tell(phase_of(job), "k1", "completed")
    assert fresh(job).error == "k0 failed: error of k0"
    retry(job, items=[item_of(job, "k0").pk], actor=None)
    assert fresh(job).error == "k2 failed: error of k2"
    retry(job, actor=None)
    assert fresh(job).error == ""


def test_a_retry_of_an_older_failure_keeps_the_sentence_of_the_latest(clock: Clock) -> None:
    job = make_job(items=5)
    for key in ("k2", "k0"):
        clock.forward(1)
        tell(phase_of(job), key, "failed", error=f"error of {key}")
    retry(job, items=[item_of(job, "k2").pk], actor=None)
    assert fresh(job).error == "k0 failed: error of k0"
