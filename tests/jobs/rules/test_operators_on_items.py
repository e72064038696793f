"""Operators on items: retry, release, skip."""

from __future__ import annotations

import pytest

from jobs import operations
from jobs.models import Item
from jobs.rules.errors import NotFound, WrongState
from jobs.rules.pipelines import PhaseSpec
from tests.factories import item_of, make_job, outward, phase_of, pipeline, settle, take, tell, working_job
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


# --- retry -------------------------------------------------------------------------------------------


def test_retry_makes_failed_items_pending_and_clears_what_was_wrong() -> None:
    job = make_job(items=3, done=1, failed=2)
    answer = operations.retry(job, actor=None)
    item = item_of(job, "k1")
    assert (answer.changed, phase_of(job).failed, item.status, item.tries) == (2, 0, "pending", 0)
    assert (item.error, item.signature, item.result, item.started_at, item.finished_at) == ("", "", {}, None, None)
    assert item_of(job, "k0").status == "completed"


def test_retry_by_items_refuses_the_others_by_name() -> None:
    job, other = make_job(items=4, done=1, failed=2), make_job(items=2, failed=1)
    wanted = [item_of(job, "k1").pk, item_of(job, "k0").pk, item_of(other, "k0").pk, 999_999]
    answer = operations.retry(job, items=wanted, actor=None)
    assert (answer.changed, [refusal.id for refusal in answer.refused]) == (1, wanted[1:])
    assert "completed" in answer.refused[0].detail
    assert (item_of(job, "k2").status, item_of(other, "k0").status) == ("failed", "failed")


def test_retry_by_phase_leaves_the_other_phases() -> None:
    job = pipeline(PhaseSpec("a", expected=3), PhaseSpec("b", expected=3))
    for code in "ab":
        settle(phase_of(job, code), ["failed"])
    assert operations.retry(job, phase="b", actor=None).changed == 1
    assert (phase_of(job, "a").failed, phase_of(job, "b").failed) == (1, 0)


def test_retry_by_error_signature_takes_like_failures_of_all_phases() -> None:
    job = pipeline(PhaseSpec("a", expected=5), PhaseSpec("b", expected=5))
    for code in "ab":
        for number, error in enumerate(("timeout after 30 s", "timeout after 7 s", "bad file")):
            tell(phase_of(job, code), f"k{number}", "failed", error=error)
    assert operations.retry(job, error_signature="timeout after # s", actor=None).changed == 4
    assert operations.retry(job, error_signature="no such", actor=None).changed == 0
    assert set(Item.objects.failed().values_list("error", flat=True)) == {"bad file"}


@pytest.mark.parametrize(
    "said", ["no /in/7/p.png", "no /in/#/p.png", "no …"], ids=["sentence", "older form", "signature"]
)
def test_a_group_of_errors_is_named_by_a_sentence_of_it_as_well_as_by_its_signature(said: str) -> None:
    job = pipeline(PhaseSpec("a", expected=5))
    for number, error in enumerate(("no /in/1/p.png", "no /in/2/q.png", "no disk")):
        tell(phase_of(job, "a"), f"k{number}", "failed", error=error)
    assert operations.retry(job, error_signature=said, actor=None).changed == 2
    assert set(Item.objects.failed().values_list("error", flat=True)) == {"no disk"}


def test_retry_repeated_finds_nothing_more() -> None:
    job = make_job(items=2, failed=1)
    assert [operations.retry(job, actor=None).changed for _ in range(2)] == [1, 0]
    assert len(outward(job, "item.retry_requested")) == 1


def test_retry_of_an_unknown_phase_is_not_found() -> None:
    with pytest.raises(NotFound, match="no phase nothing"):
        operations.retry(make_job(items=1), phase="nothing", actor=None)


def test_failed_items_of_a_forced_phase_are_retried_only_after_a_restart() -> None:
    job = pipeline(PhaseSpec("a", expected=3), PhaseSpec("b", expected=3))
    settle(phase_of(job, "a"), ["failed"])
    operations.force_complete(job, phase="a", actor=None, reason="enough")
    with pytest.raises(WrongState, match="restart"):
        operations.retry(job, phase="a", actor=None)
    assert operations.retry(job, actor=None).changed == 0
    assert phase_of(job, "a").failed == 1


# --- release -----------------------------------------------------------------------------------------


def test_release_takes_no_item_whose_lease_is_live(clock: Clock) -> None:
    job = make_job(items=3)
    take(phase_of(job), 2, seconds=60)
    Item.objects.filter(key="k1").update(lease_seconds=None, lease_expires_at=None)
    assert operations.release(job, actor=None).changed == 1
    assert (item_of(job, "k0").status, item_of(job, "k1").status) == ("processing", "pending")
    clock.forward(61)
    assert operations.release(job, actor=None).changed == 1
    assert (phase_of(job).processing, item_of(job, "k0").tries) == (0, 0)


def test_release_of_all_takes_live_leases_too() -> None:
    job = make_job(items=3)
    take(phase_of(job), 3)
    assert operations.release(job, all=True, actor=None).changed == 3
    assert len(take(phase_of(job), 3, worker="w2")) == 3


def test_release_names_the_items_that_are_still_held() -> None:
    job = make_job(items=2)
    [held] = take(phase_of(job), 1)
    free = item_of(job, "k1").pk
    answer = operations.release(job, items=[held.id, free], actor=None)
    assert answer.changed == 0
    assert [refusal.id for refusal in answer.refused] == [held.id, free]
    assert "w1" in answer.refused[0].detail


# --- skip --------------------------------------------------------------------------------------------


def test_skip_counts_as_done_work() -> None:
    job = working_job()
    ids = [item_of(job, key).pk for key in ("k1", "k3", "k4")]
    assert operations.skip(job, items=ids, actor=None).changed == 3
    phase = phase_of(job)
    assert (phase.done, phase.failed, phase.skipped, phase.processing) == (1, 0, 3, 1)
    assert (phase.job.percent, phase.job.error) == (80, "")


def test_skip_leaves_what_is_completed_or_under_a_live_lease() -> None:
    job = working_job()
    ids = [item_of(job, key).pk for key in ("k0", "k2", "k3")]
    answer = operations.skip(job, items=ids, actor=None)
    assert (answer.changed, [refusal.id for refusal in answer.refused]) == (1, ids[:2])
    assert [item_of(job, key).status for key in ("k0", "k2", "k3")] == ["completed", "processing", "skipped"]


def test_skip_takes_an_item_whose_lease_is_over(clock: Clock) -> None:
    job = working_job()
    clock.forward(91)
    assert operations.skip(job, items=[item_of(job, "k2").pk], actor=None).changed == 1
    assert (phase_of(job).processing, phase_of(job).skipped) == (0, 1)
    assert tell(phase_of(job), "k2", "completed", attempt=1).outcome == "stale"


def test_skipping_the_last_open_item_completes_the_phase() -> None:
    job = make_job(items=2, done=1)
    operations.skip(job, items=[item_of(job, "k1").pk], actor=None)
    assert (phase_of(job).status, phase_of(job).completed_by, phase_of(job).partial) == ("completed", "all_done", False)


def test_skip_repeated_changes_nothing() -> None:
    job = make_job(items=3)
    ids = [item_of(job, "k0").pk]
    assert [operations.skip(job, items=ids, actor=None).changed for _ in range(2)] == [1, 0]
