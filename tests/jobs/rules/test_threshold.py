"""The threshold: the successes that complete a phase."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from jobs import tracking
from jobs.operations import cancel, set_threshold
from jobs.rules.errors import BadInput, NotFound, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Trigger
from tests.factories import (
    WORKER,
    complete,
    listed,
    make_job,
    outcomes,
    outward,
    phase_of,
    pipeline,
    settle,
    types,
)

pytestmark = pytest.mark.django_db


def test_the_phase_completes_with_the_report_that_meets_the_threshold() -> None:
    job = make_job(items=20, done=17, threshold=90, trigger="at_threshold")
    assert (phase_of(job).status, outward(job)) == ("processing", [])
    complete(phase_of(job), 1, start=17)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "threshold")
    [event] = outward(job, "items.completed")
    assert (event["total_assets"], event["processed_assets"]) == (20, 18)
    assert (event["has_partial_completion"], event["failed_assets"], event["forced"]) == (True, 0, False)
    assert UUID(event["event_id"])


@pytest.mark.parametrize(
    ("threshold", "expected", "done", "is_complete"),
    [
        (80, 10, 8, True),
        (90, 20, 17, False),
        (90, 10, 9, True),
        (90, 10, 8, False),
        (75, 20, 15, True),
        (75, 20, 14, False),
        (100, 20, 19, False),
        (100, 20, 20, True),
        (0, 20, 0, True),
        *[(90, expected, -(-expected * 9 // 10), True) for expected in (1, 2, 3, 7, 9, 10, 11, 19, 20, 21, 333)],
        *[(90, expected, -(-expected * 9 // 10) - 1, False) for expected in (1, 2, 3, 7, 9, 10, 11, 19, 20, 21, 333)],
    ],
)
def test_one_success_less_than_needed_is_not_complete(
    threshold: int, expected: int, done: int, is_complete: bool
) -> None:
    job = make_job(expected=expected, threshold=threshold, trigger="at_threshold")
    if done:
        complete(phase_of(job), done)
    assert phase_of(job).is_completed is is_complete


def test_one_report_of_many_may_jump_over_the_threshold() -> None:
    job = make_job(expected=10, threshold=80, trigger="at_threshold")
    complete(phase_of(job), 10)
    [event] = outward(job, "items.completed")
    assert (event["processed_assets"], event["completed_by"], event["has_partial_completion"]) == (
        10,
        "all_done",
        False,
    )


def test_failures_do_not_count_towards_the_threshold_and_skips_do() -> None:
    job = make_job(items=20, done=10, failed=2, skipped=7, threshold=90, trigger="at_threshold")
    assert phase_of(job).status == "processing"
    settle(phase_of(job), ["skipped"], start=19)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "threshold")


def test_what_arrives_after_the_threshold_is_counted_and_shown_and_sends_nothing() -> None:
    job = make_job(items=20, done=18, threshold=90, trigger="at_threshold")
    before = outward(job)
    assert outcomes(complete(phase_of(job), 2, start=18)) == ["applied", "applied"]
    phase = phase_of(job)
    assert (phase.done, phase.expected, phase.partial, phase.completed_by) == (20, 20, True, "threshold")
    assert outward(job) == before


# --- where the number comes from ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "job_threshold", "phase_threshold", "effective"),
    [
        ("generic", "items", None, None, 100),
        ("generic", "items", 75, None, 75),
        ("generic", "items", 75, 50, 50),
        ("generic", "items", None, 0, 0),
        ("generic", "items", 0, None, 0),
        ("vision", "video.embeddings", None, None, 90),
        ("vision", "video.embeddings", 75, None, 75),
        ("vision", "video.embeddings", 75, 100, 100),
    ],
)
def test_the_phase_overrides_the_job_and_the_job_overrides_the_preset(
    kind: str, code: str, job_threshold: int | None, phase_threshold: int | None, effective: int
) -> None:
    job = pipeline(PhaseSpec(code, threshold=phase_threshold), kind=kind, threshold=job_threshold)
    assert phase_of(job).threshold == effective


def test_a_later_change_of_the_setting_judges_nothing_anew(settings: Any) -> None:
    settings.COMPLETION_THRESHOLD_PERCENTAGE = 90
    job = pipeline(PhaseSpec("video.embeddings", expected=20), kind="vision")
    settings.COMPLETION_THRESHOLD_PERCENTAGE = 50
    complete(phase_of(job), 17)
    assert (phase_of(job).status, phase_of(job).threshold) == ("processing", 90)
    assert phase_of(pipeline(kind="vision")).threshold == 50


# --- an operator changes it --------------------------------------------------------------------------


def test_a_lower_threshold_is_judged_at_once() -> None:
    job = make_job(items=20, done=15, threshold=90, trigger="at_threshold")
    act = set_threshold(job, phase="items", threshold=75, actor=None, reason="good enough")
    assert (act.changed, act.job.status, phase_of(job).completed_by) == (1, "completed", "threshold")
    assert len(outward(job, "items.completed")) == 1


def test_a_higher_threshold_is_kept_for_later() -> None:
    job = make_job(items=20, done=17, threshold=90, trigger="at_threshold")
    set_threshold(job, phase="items", threshold=100, actor=None)
    complete(phase_of(job), 19)
    assert phase_of(job).status == "processing"


def test_a_threshold_of_0_completes_a_phase_with_a_known_total() -> None:
    job = make_job(items=20, trigger="at_threshold")
    set_threshold(job, phase="items", threshold=0, actor=None)
    assert (phase_of(job).status, phase_of(job).job.percent) == ("completed", 100)


def test_a_threshold_changes_nothing_while_the_total_is_unknown() -> None:
    job = make_job(trigger="at_threshold")
    listed(job, 5)
    set_threshold(job, phase="items", threshold=0, actor=None)
    assert (phase_of(job).status, phase_of(job).expected) == ("pending", None)


def test_a_failed_phase_completes_when_the_new_threshold_is_met() -> None:
    job = make_job(items=10, done=8, failed=2, threshold=90, on_shortfall="fail")
    assert phase_of(job).status == "failed"
    set_threshold(job, phase="items", threshold=80, actor=None)
    phase = phase_of(job)
    assert (phase.status, phase.run, phase.partial, phase.error) == ("completed", 1, True, "")
    assert types(job, outward=True) == ["items.failed", "job.failed", "items.completed", "job.completed"]


def test_a_failed_phase_stays_failed_when_the_new_threshold_is_not_met() -> None:
    job = make_job(items=10, done=8, failed=2, threshold=95, on_shortfall="fail")
    events = outward(job)
    act = set_threshold(job, phase="items", threshold=90, actor=None)
    assert (act.changed, phase_of(job).status, phase_of(job).threshold) == (1, "failed", 90)
    assert outward(job) == events


def test_the_sentence_of_a_shortfall_goes_with_the_failure() -> None:
    job = pipeline(PhaseSpec("work", on_shortfall=None, threshold=90, trigger=Trigger.WHEN_SETTLED))
    tracking.fail(phase_of(job), error="no disk", by=WORKER)
    job.refresh_from_db()
    assert job.error == "Work failed: no disk"
    tracking.announce(phase_of(job), expected=0, by=WORKER)
    assert phase_of(job).status == "failed"


def test_the_same_threshold_changes_nothing() -> None:
    job = make_job(items=20, threshold=90)
    act = set_threshold(job, phase="items", threshold=90, actor=None)
    assert (act.changed, act.job.revision) == (0, job.revision)
    assert "already" in act.detail


@pytest.mark.parametrize("threshold", [-1, 101, 150])
def test_a_threshold_is_a_percent(threshold: int) -> None:
    job = make_job(items=20)
    with pytest.raises(BadInput) as refusal:
        set_threshold(job, phase="items", threshold=threshold, actor=None)
    assert "threshold" in refusal.value.errors


def test_the_threshold_of_a_completed_or_cancelled_phase_is_refused_with_both_states() -> None:
    completed, cancelled = make_job(items=1, done=1), make_job(items=1)
    cancel(cancelled, actor=None)
    for job, state in ((completed, "completed"), (cancelled, "cancelled")):
        with pytest.raises(WrongState, match=f"is {state}.*pending, processing or failed"):
            set_threshold(job, phase="items", threshold=50, actor=None)


def test_the_threshold_of_an_unknown_phase_is_not_found() -> None:
    with pytest.raises(NotFound, match="no phase nothing"):
        set_threshold(make_job(items=1), phase="nothing", threshold=50, actor=None)
