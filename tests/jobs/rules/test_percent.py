"""Percents of a job and its phases."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jobs import tracking
from jobs.models import Job
from jobs.operations import force_complete, retry, set_threshold, skip
from jobs.rules import progress
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from tests.factories import WORKER, complete, item_of, listed, make_job, new_items, phase_of, pipeline, settle, take

pytestmark = pytest.mark.django_db


def shown(job: Job) -> tuple[int, int]:
    job.refresh_from_db()
    return job.percent, job.settled_percent


@pytest.mark.parametrize(
    ("items", "done", "failed", "skipped", "percent"),
    [(17, 10, 1, 0, (58, 64)), (17, 5, 0, 0, (29, 29)), (3, 2, 0, 0, (66, 66)), (4, 1, 1, 1, (50, 75))],
)
def test_a_job_of_one_phase_shows_the_percent_of_that_phase(
    items: int, done: int, failed: int, skipped: int, percent: tuple[int, int]
) -> None:
    assert shown(make_job(items=items, done=done, failed=failed, skipped=skipped)) == percent


def test_skipped_items_count_as_done_work() -> None:
    job = pipeline(PhaseSpec("training", weight=30), PhaseSpec("faces", weight=65), PhaseSpec("clustering", weight=5))
    tracking.announce(phase_of(job), expected=666, by=WORKER)
    tracking.count(phase_of(job), done=331, skipped=335, event_id=uuid4(), by=WORKER)
    assert (phase_of(job).status, progress.percent(phase_of(job).counts)) == ("completed", 100)
    assert shown(job)[0] == 30


def test_a_job_is_weighted_by_its_phases() -> None:
    job = pipeline(PhaseSpec("training", weight=30, expected=100), PhaseSpec("faces", weight=65, expected=1000))
    complete(phase_of(job, "training"), 50)
    assert shown(job)[0] == 15 * 100 // 95
    complete(phase_of(job, "training"), 100)
    complete(phase_of(job, "faces"), 500)
    assert shown(job)[0] == (30 * 100 + 65 * 50) // 95


def test_a_job_finished_at_its_threshold_shows_100_and_partial() -> None:
    job = make_job(items=20, done=18, threshold=90, trigger="at_threshold")
    assert (shown(job), job.partial, job.status) == ((100, 100), True, "completed")
    assert progress.percent(phase_of(job).counts, completed=True) == 90


def test_an_unknown_total_counts_as_0_in_the_job() -> None:
    job = pipeline(PhaseSpec("a"), PhaseSpec("b", expected=2))
    complete(phase_of(job, "a"), 5)
    complete(phase_of(job, "b"), 1)
    assert shown(job)[0] == 25


def test_a_merge_of_no_weight_leaves_the_job_at_100_and_processing() -> None:
    job = pipeline(PhaseSpec("ocr"), PhaseSpec("merge", weight=0, gated=True, stage="Merging OCR results"))
    listed(job, 17, code="ocr")
    tracking.announce(phase_of(job), expected=17, by=WORKER)
    complete(phase_of(job, "ocr"), 17)
    assert (shown(job)[0], job.status, job.stage) == (100, "processing", "Merging OCR results")


def test_percent_never_goes_down_within_a_run() -> None:
    job = make_job(items=20)
    phase, seen = phase_of(job), [0]

    def look() -> None:
        seen.append(shown(job)[0])

    settle(phase, ["completed", "failed", "skipped", "failed"])
    look()
    retry(job, actor=None)
    look()
    take(phase_of(job), 5)
    look()
    skip(job, items=[item_of(job, "k19").pk], actor=None)
    look()
    set_threshold(job, phase="items", threshold=95, actor=None)
    look()
    complete(phase_of(job), 10)
    look()
    force_complete(job, actor=None, reason="enough")
    look()
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_percent_may_go_down_when_items_are_added() -> None:
    job = make_job(items=10, done=5)
    listed(job, 20)
    assert shown(job)[0] == 25


def test_a_failed_phase_keeps_its_part() -> None:
    job = pipeline(PhaseSpec("a", on_shortfall=Shortfall.FAIL), PhaseSpec("b", gated=True))
    tracking.announce(phase_of(job), expected=10, by=WORKER)
    settle(phase_of(job), ["completed"] * 5 + ["failed"] * 5)
    assert (shown(job), job.status) == ((25, 50), "failed")


def test_a_million_done_of_a_million_is_complete_and_one_less_is_not() -> None:
    job = make_job(expected=1_000_000)
    tracking.count(phase_of(job), done=999_999, event_id=uuid4(), by=WORKER)
    assert (shown(job)[0], job.status) == (99, "processing")
    tracking.count(phase_of(job), done=1, event_id=uuid4(), by=WORKER)
    assert (shown(job)[0], job.status) == (100, "completed")


def test_a_job_of_no_items_divides_by_nothing() -> None:
    job = pipeline(PhaseSpec("a", expected=0), PhaseSpec("b", expected=0, weight=0), items=new_items(0))
    assert shown(job) == (100, 100)
