"""Counting: counters live on the phase, move with the items and always equal them."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import pytest

from jobs import tracking
from jobs.models import Item, Phase
from jobs.rules.errors import Conflict, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import NewItem, Result
from jobs.watchdog import recount
from tests.factories import (
    WORKER,
    complete,
    item_of,
    listed,
    make_job,
    new_items,
    outcomes,
    phase_of,
    pipeline,
    settle,
    take,
    tell,
)

pytestmark = pytest.mark.django_db


def counters(phase: Phase) -> tuple[int, int, int, int, int]:
    phase.refresh_from_db()
    return phase.done, phase.failed, phase.skipped, phase.processing, phase.pending_items


def test_counters_equal_the_items_after_every_kind_of_report() -> None:
    job = make_job(items=10)
    phase = phase_of(job)
    take(phase, 4)
    settle(phase, ["completed", "failed", "skipped", "pending"])
    tell(phase, "k5", "processing")
    assert counters(phase) == (1, 1, 1, 1, 6)
    assert Counter(Item.objects.values_list("status", flat=True)) == {
        "completed": 1,
        "failed": 1,
        "skipped": 1,
        "processing": 1,
        "pending": 6,
    }
    assert recount() == []


def test_a_result_reported_twice_counts_once_and_is_a_duplicate() -> None:
    phase = phase_of(make_job(items=3))
    assert outcomes(complete(phase, 1)) == ["applied"]
    assert outcomes(complete(phase, 1)) == ["duplicate"]
    assert counters(phase)[0] == 1


def test_a_result_twice_in_one_call_counts_once() -> None:
    phase = phase_of(make_job(items=3))
    results = [Result("k0", "completed"), Result("k0", "completed"), Result("k0", "failed")]
    answer = tracking.report(phase, results=results, by=WORKER)
    assert outcomes(answer) == ["applied", "duplicate", "stale"]
    assert counters(phase)[:2] == (1, 0)


@pytest.mark.parametrize("status", ["completed", "failed", "skipped"])
def test_the_same_final_status_is_a_duplicate_whatever_the_attempt(status: str) -> None:
    phase = phase_of(make_job(items=2))
    take(phase, 1)
    tell(phase, "k0", status, attempt=1)
    assert [tell(phase, "k0", status, attempt=n).outcome for n in (0, 1, 7)] == ["duplicate"] * 3


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("completed", "failed", "stale"),
        ("completed", "skipped", "stale"),
        ("completed", "processing", "stale"),
        ("completed", "pending", "stale"),
        ("failed", "completed", "applied"),
        ("failed", "skipped", "stale"),
        ("failed", "processing", "stale"),
        ("failed", "pending", "stale"),
        ("skipped", "completed", "stale"),
        ("skipped", "failed", "stale"),
        ("skipped", "processing", "stale"),
        ("skipped", "pending", "stale"),
    ],
)
def test_a_settled_item_never_goes_back_but_a_failed_one_may_still_complete(
    first: str, second: str, outcome: str
) -> None:
    job = make_job(items=3)
    tell(phase_of(job), "k0", first)
    answer = tell(phase_of(job), "k0", second)
    kept = second if outcome == "applied" else first
    assert (answer.outcome, answer.status, item_of(job, "k0").status) == (outcome, kept, kept)


def test_a_refused_result_says_in_which_state_the_item_is() -> None:
    phase = phase_of(make_job(items=3, done=1, failed=1))
    assert "completed" in tell(phase, "k0", "failed").detail
    assert "failed" in tell(phase, "k1", "skipped").detail


def test_another_checksum_for_a_completed_item_is_stale() -> None:
    phase = phase_of(make_job(items=3))
    tell(phase, "k0", "completed", result={"checksum": "a", "path": "/1"})
    assert tell(phase, "k0", "completed", result={"checksum": "b"}).outcome == "stale"
    assert tell(phase, "k0", "completed").outcome == "stale"
    assert tell(phase, "k0", "completed", result={"checksum": "a"}).outcome == "duplicate"


def test_a_refused_result_keeps_the_result_of_the_first() -> None:
    job = make_job(items=3)
    tell(phase_of(job), "k0", "completed", result={"checksum": "a"})
    tell(phase_of(job), "k0", "completed", result={"checksum": "b"})
    assert item_of(job, "k0").result == {"checksum": "a"}


def test_a_late_success_of_a_failed_item_moves_it_from_failed_to_done() -> None:
    job = make_job(items=3, failed=1)
    assert tell(phase_of(job), "k0", "completed").outcome == "applied"
    item = item_of(job, "k0")
    assert (counters(phase_of(job)), item.error, item.signature) == ((1, 0, 0, 0, 2), "", "")


def test_a_late_success_of_an_item_in_a_failed_phase_is_closed() -> None:
    job = make_job(items=1, failed=1, on_shortfall="fail")
    answer = tell(phase_of(job), "k0", "completed")
    assert (answer.outcome, answer.status) == ("closed", "failed")
    assert "failed" in answer.detail


def test_a_failed_item_is_claimable_only_after_a_retry() -> None:
    phase = phase_of(make_job(items=2, failed=1))
    assert [item.key for item in take(phase)] == ["k1"]


def test_a_report_of_a_key_that_a_listed_phase_does_not_hold_is_invalid() -> None:
    phase = phase_of(make_job(items=2))
    answer = tracking.report(phase, results=[Result("x", "completed"), Result("k0", "completed")], by=WORKER)
    assert outcomes(answer) == ["invalid", "applied"]
    assert "list" in answer.results[0].detail
    assert phase.items.count() == 2


@pytest.mark.parametrize("status", ["completed", "failed", "skipped", "processing"])
def test_a_report_of_a_new_key_creates_the_item_where_no_list_was_given(status: str) -> None:
    job = make_job()
    assert tell(phase_of(job), "x", status).outcome == "applied"
    assert item_of(job, "x").status == status
    assert recount() == []


def test_a_report_of_a_new_key_with_an_attempt_is_invalid_for_none_was_given_out() -> None:
    job = make_job()
    assert tell(phase_of(job), "x", "completed", attempt=1).outcome == "invalid"
    assert phase_of(job).items_total == 0


def test_a_phase_that_reports_have_filled_stays_unlisted_until_a_list_comes() -> None:
    job = make_job(expected=10)
    complete(phase_of(job), 2)
    assert outcomes(complete(phase_of(job), 2, start=2)) == ["applied", "applied"]
    listed(job, 5)
    assert tell(phase_of(job), "k7", "completed").outcome == "invalid"
    assert (phase_of(job).items_total, phase_of(job).done) == (5, 4)


def test_the_same_key_counts_once_in_each_phase_and_in_each_job() -> None:
    one, other = (pipeline(kind="vision", asset_types=["image"]) for _ in range(2))
    for job, code in ((one, "image.embeddings"), (one, "image.keypoints"), (other, "image.embeddings")):
        assert tell(phase_of(job, code), "frame-1", "completed").outcome == "applied"
    assert [phase_of(one, f"image.{code}").done for code in ("segmentation", "embeddings", "keypoints")] == [0, 1, 1]


def test_over_delivery_is_flagged_and_never_shown_above_100() -> None:
    job = make_job(expected=2, threshold=50)
    complete(phase_of(job), 5)
    phase = phase_of(job)
    assert (phase.done, phase.expected, phase.counts.expected) == (5, 2, 2)
    assert (job.percent, phase_of(job).job.percent) == (0, 100)


def test_a_key_of_any_length_and_script_is_one_key() -> None:
    long, twin = "ä" * 1024, "ä" * 1023 + "b"
    job = make_job()
    added = tracking.add_items(phase_of(job), items=[NewItem(long), NewItem(twin), NewItem(long)], by=WORKER)
    assert (added.added, added.existing) == (2, 1)


def test_a_failure_without_a_text_is_an_unknown_error_and_a_long_one_is_cut_to_500() -> None:
    job = make_job(items=3)
    tell(phase_of(job), "k0", "failed")
    tell(phase_of(job), "k1", "failed", error="x" * 501)
    assert item_of(job, "k0").error == "unknown error"
    assert item_of(job, "k1").error == "x" * 500


def test_times_of_an_item_are_set_when_it_begins_and_when_it_ends(clock: object) -> None:
    job = make_job(items=1, threshold=0)
    phase = phase_of(job)
    take(phase)
    started = item_of(job, "k0").started_at
    tell(phase, "k0", "processing")
    assert (item_of(job, "k0").started_at, item_of(job, "k0").finished_at) == (started, None)
    tell(phase, "k0", "completed")
    assert (item_of(job, "k0").started_at, item_of(job, "k0").finished_at is not None) == (started, True)


# --- phases that are counted without items -----------------------------------------------------------


def test_count_adds_to_the_counters_once_per_event_id() -> None:
    job = make_job(expected=20)
    first, second = uuid4(), uuid4()
    applied = [
        tracking.count(phase_of(job), done=5, failed=1, skipped=2, event_id=event_id, by=WORKER).applied
        for event_id in (first, first, second, first)
    ]
    assert applied == [True, False, True, False]
    assert counters(phase_of(job))[:3] == (10, 2, 4)


def test_count_with_a_used_event_id_and_other_numbers_is_a_conflict() -> None:
    job, event_id = make_job(expected=20), uuid4()
    tracking.count(phase_of(job), done=5, event_id=event_id, by=WORKER)
    with pytest.raises(Conflict) as refusal:
        tracking.count(phase_of(job), done=6, event_id=event_id, by=WORKER)
    assert refusal.value.code == "event_id_reused"
    assert phase_of(job).done == 5


def test_an_event_id_is_remembered_per_phase() -> None:
    job, event_id = pipeline(PhaseSpec("a", expected=5), PhaseSpec("b", expected=5)), uuid4()
    assert tracking.count(phase_of(job, "a"), done=1, event_id=event_id, by=WORKER).applied
    assert tracking.count(phase_of(job, "b"), done=2, event_id=event_id, by=WORKER).applied


def test_a_refused_count_does_not_use_up_its_event_id() -> None:
    job, event_id = make_job(items=2), uuid4()
    for _ in range(2):
        with pytest.raises(WrongState, match="has items"):
            tracking.count(phase_of(job), done=1, event_id=event_id, by=WORKER)
    assert phase_of(job).done == 0


def test_a_counted_phase_takes_no_items_and_no_reports() -> None:
    job = make_job(expected=20)
    tracking.count(phase_of(job), done=5, event_id=uuid4(), by=WORKER)
    with pytest.raises(WrongState, match="counted"):
        tracking.add_items(phase_of(job), items=new_items(1), by=WORKER)
    with pytest.raises(WrongState, match="counted"):
        complete(phase_of(job), 1)
    assert (phase_of(job).items_total, phase_of(job).done) == (0, 5)


def test_a_counted_phase_gives_no_items() -> None:
    job = make_job(expected=20)
    tracking.count(phase_of(job), done=5, event_id=uuid4(), by=WORKER)
    assert tracking.claim(phase_of(job), worker="w1", by=WORKER).reason == "none_pending"


def test_a_count_completes_the_phase_as_reports_would() -> None:
    job = make_job(expected=20, threshold=90, trigger="at_threshold")
    tracking.count(phase_of(job), done=17, event_id=uuid4(), by=WORKER)
    assert phase_of(job).status == "processing"
    tracking.count(phase_of(job), done=1, event_id=uuid4(), by=WORKER)
    assert (phase_of(job).status, phase_of(job).completed_by) == ("completed", "threshold")
