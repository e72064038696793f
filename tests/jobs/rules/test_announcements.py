"""Announcements: the total of a phase."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from jobs import tracking, watchdog
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Result
from tests.factories import (
    WORKER,
    announce,
    complete,
    finished_job,
    listed,
    make_job,
    outward,
    phase_of,
    pipeline,
    settle,
    types,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def test_reports_and_announcement_come_in_any_order() -> None:
    early, late = make_job(threshold=75, trigger="at_threshold"), make_job(threshold=75, trigger="at_threshold")
    announce(early, 100)
    complete(phase_of(early), 75)
    complete(phase_of(late), 75)
    announce(late, 100)
    for job in (early, late):
        [event] = outward(job, "items.completed")
        assert (event["total_assets"], event["processed_assets"]) == (100, 75)


def test_an_announcement_alone_does_not_complete_what_is_short_of_it() -> None:
    job = make_job(threshold=75, trigger="at_threshold")
    complete(phase_of(job), 70)
    announce(job, 100)
    assert phase_of(job).status == "processing"
    complete(phase_of(job), 75)
    assert phase_of(job).status == "completed"


def test_the_same_event_id_changes_nothing(clock: Clock) -> None:
    job, event_id = make_job(), uuid4()
    assert announce(job, 100, event_id=event_id).applied
    deadline = phase_of(job).deadline_at
    clock.forward(60)
    for total in (100, 150):
        assert announce(job, total, event_id=event_id).reason == "duplicate"
    assert (phase_of(job).expected, phase_of(job).deadline_at) == (100, deadline)


def test_the_same_total_changes_nothing(clock: Clock) -> None:
    job = make_job()
    announce(job, 100)
    deadline = phase_of(job).deadline_at
    clock.forward(60)
    answer = announce(job, 100, event_id=uuid4())
    assert (answer.applied, answer.reason) == (False, "same_total")
    assert phase_of(job).deadline_at == deadline
    assert types(job).count("items.announced") == 1


def test_before_completion_the_latest_total_wins_and_is_recorded_and_refreshes_the_deadline(clock: Clock) -> None:
    job = make_job()
    announce(job, 100)
    later = clock.forward(60)
    assert announce(job, 50).applied
    phase = phase_of(job)
    assert (phase.expected, phase.deadline_at) == (50, later + timedelta(seconds=900))
    assert types(job).count("items.announced") == 2


def test_a_smaller_total_is_judged_at_once() -> None:
    job = make_job()
    announce(job, 100)
    complete(phase_of(job), 10)
    announce(job, 10)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "all_done")


def test_a_larger_total_may_bring_the_percent_down() -> None:
    job = make_job(expected=20)
    complete(phase_of(job), 10)
    announce(job, 40)
    assert phase_of(job).job.percent == 25


@pytest.mark.parametrize("state", ["completed", "failed", "forced", "cancelled"])
def test_after_completion_a_total_is_only_recorded(state: str) -> None:
    job = finished_job(state)
    before, events = phase_of(job), len(outward(job))
    answer = announce(job, 150)
    assert (answer.applied, answer.reason) == (False, "closed")
    after = phase_of(job)
    assert (after.expected, after.status, after.deadline_at) == (before.expected, before.status, None)
    assert len(outward(job)) == events
    assert types(job)[-1] == "items.announced"


def test_an_announcement_of_0_completes_at_once_and_leaves_no_deadline() -> None:
    job = make_job(on_shortfall="fail")
    announce(job, 0)
    [event] = outward(job, "items.completed")
    assert [event[name] for name in ("total_assets", "processed_assets", "failed_assets")] == [0, 0, 0]
    assert (event["has_partial_completion"], event["completed_by"]) == (False, "all_done")
    assert (phase_of(job).deadline_at, phase_of(job).job.status) == (None, "completed")


def test_a_job_whose_phases_all_expect_0_is_completed_at_once() -> None:
    job = pipeline(*(PhaseSpec(code, expected=0, gated=code != "a") for code in "abc"))
    assert (job.status, job.percent) == ("completed", 100)
    assert types(job, outward=True) == ["a.completed", "b.completed", "c.completed", "job.completed"]


def test_one_announcement_per_consumer_leads_to_one_event_per_consumer() -> None:
    specs = [PhaseSpec(f"video.{service}", threshold=100) for service in ("embeddings", "keypoints")]
    job = pipeline(*specs, kind="vision")
    for spec in specs:
        tracking.announce(phase_of(job, spec.code), expected=100, by=WORKER)
    complete(phase_of(job, "video.embeddings"), 100)
    assert (phase_of(job, "video.keypoints").done, phase_of(job).status) == (0, "completed")
    complete(phase_of(job, "video.keypoints"), 100)
    for spec in specs:
        [event] = outward(job, f"{spec.code}.completed")
        assert (event["total_assets"], event["processed_assets"]) == (100, 100)
        assert event["has_partial_completion"] is False


def test_the_total_is_of_the_job_and_not_of_each_delivery() -> None:
    """Frames of several videos count towards one total."""
    job = make_job()
    announce(job, 100)
    for start, number in ((0, 40), (40, 35)):
        complete(phase_of(job), number, start=start)
        assert outward(job) == []
    complete(phase_of(job), 25, start=75)
    assert len(outward(job, "items.completed")) == 1


def test_items_of_a_phase_without_announcement_never_complete_it() -> None:
    job = make_job(threshold=0, trigger="at_threshold")
    complete(phase_of(job), 3)
    assert phase_of(job).status == "processing"
    announce(job, 10)
    [event] = outward(job, "items.completed")
    assert (event["processed_assets"], event["has_partial_completion"]) == (3, True)


def test_a_threshold_of_0_completes_at_the_announcement_with_nothing_done() -> None:
    job = make_job(threshold=0, trigger="at_threshold")
    announce(job, 10)
    [event] = outward(job, "items.completed")
    assert (event["processed_assets"], event["total_assets"], event["completed_by"]) == (0, 10, "threshold")


def test_an_announcement_is_a_sign_of_life_but_does_not_begin_the_work(clock: Clock) -> None:
    job = make_job()
    announce(job, 10)
    job.refresh_from_db()
    assert (job.status, job.heartbeat_at) == ("pending", clock.now)


def test_a_repeated_report_of_what_is_settled_does_not_matter_to_the_total() -> None:
    job = make_job(items=2)
    settle(phase_of(job), ["completed", "failed"])
    assert phase_of(job).status == "completed"
    tracking.report(phase_of(job), results=[Result("k0", "completed")], by=WORKER)
    assert (phase_of(job).expected, len(outward(job, "items.completed"))) == (2, 1)


def test_counters_and_items_agree_after_all_of_it() -> None:
    job = make_job()
    listed(job, 5)
    settle(phase_of(job), ["completed", "failed", "skipped"])
    listed(job, 8)
    announce(job, 8)
    assert watchdog.recount() == []
