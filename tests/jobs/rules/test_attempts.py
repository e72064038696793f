"""The history of an item: its ended attempts with their logs and links, the last ten of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import operations, tracking, watchdog
from jobs.models import Attempt, Job
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Link, Result
from tests.factories import item_of, make_job, operator, phase_of, take, tell
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def history(job: Job, key: str = "k0") -> list[tuple[int, str, str, str]]:
    """Return number, worker, outcome and error of the attempts of an item, newest first."""
    found = Attempt.objects.newest(item_of(job, key))
    return [(each.number, each.worker, each.outcome, each.error) for each in found]


def test_a_failed_attempt_is_kept_with_its_worker_account_and_times(clock: Clock) -> None:
    job, account = make_job(items=1), operator("report")
    started = clock.now
    take(phase_of(job), worker="w1")
    by = tracking.Actor(name="w1", account=account)
    result = Result(
        "k0", "failed", 1, error="Disk full", log="line 1\nline 2", links=[{"label": "a", "url": "https://b"}]
    )
    clock.forward(7)
    tracking.report(phase_of(job), worker="w1", results=[result], by=by)
    [kept] = item_of(job, "k0").attempts.all()
    assert (kept.number, kept.worker, kept.account, kept.outcome, kept.error) == (
        1,
        "w1",
        account,
        "failed",
        "Disk full",
    )
    assert (kept.started_at, kept.ended_at) == (started, clock.now)
    assert (kept.log, kept.links) == ("line 1\nline 2", [{"label": "a", "url": "https://b"}])


def expire(job: Job, clock: Clock) -> None:
    watchdog.sweep(clock.forward(91))


def release(job: Job, clock: Clock) -> None:
    operations.release(job, all=True, actor=None)


def skip(job: Job, clock: Clock) -> None:
    clock.forward(91)
    operations.skip(job, items=[item_of(job, "k0").pk], actor=None)


def restart(job: Job, clock: Clock) -> None:
    operations.restart(job, phase="items", actor=None)


def cancel(job: Job, clock: Clock) -> None:
    operations.cancel(job, actor=None)


def give_back(job: Job, clock: Clock) -> None:
    tell(phase_of(job), "k0", "pending", worker="w1", attempt=1)


ENDS = [
    (expire, "expired"),
    (release, "released"),
    (skip, "released"),
    (restart, "released"),
    (cancel, "released"),
    (give_back, "given_back"),
]


@pytest.mark.parametrize(("end", "outcome"), ENDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_end_without_success_is_kept(end: Callable[..., None], outcome: str, clock: Clock) -> None:
    job = make_job(items=2)
    started = clock.now
    take(phase_of(job), 1, worker="w1")
    end(job, clock)
    assert history(job) == [(1, "w1", outcome, "")]
    [kept] = Attempt.objects.all()
    assert (kept.started_at, kept.ended_at, kept.log, kept.links) == (started, clock.now, "", [])


def test_the_last_expiry_is_kept_with_its_error(clock: Clock, settings: Any) -> None:
    settings.ITEM_MAX_ATTEMPTS = 1
    job = make_job(items=1)
    take(phase_of(job), worker="w1")
    expire(job, clock)
    assert history(job) == [(1, "w1", "expired", "worker_timeout after 1 attempts")]


def test_a_success_is_kept_only_with_a_log_or_links() -> None:
    job = make_job(items=3)
    take(phase_of(job))
    tell(phase_of(job), "k0", "completed")
    tell(phase_of(job), "k1", "completed", log="12 faces")
    tell(phase_of(job), "k2", "skipped", links=(Link("page", "https://a.example/1"),))
    assert [history(job, key) for key in ("k0", "k1", "k2")] == [
        [],
        [(1, "w1", "completed", "")],
        [(1, "w1", "skipped", "")],
    ]


def test_a_result_that_is_not_applied_keeps_no_attempt() -> None:
    job = make_job(items=2, done=1)
    tell(phase_of(job), "k0", "failed", log="late")
    tell(phase_of(job), "k1", "failed", attempt=5, log="never given out")
    assert Attempt.objects.count() == 0


def test_the_last_ten_attempts_of_each_item_are_kept(clock: Clock) -> None:
    job = make_job(items=2, phases=[PhaseSpec(code="items", retries=100)])
    tell(phase_of(job), "k1", "failed", error="the other item")
    for number in range(1, 13):
        clock.forward(5000)
        [item] = [item for item in take(phase_of(job)) if item.key == "k0"]
        tell(phase_of(job), "k0", "failed", attempt=item.attempt, error=f"failure {number}")
    assert [number for number, *_ in history(job)] == [*range(12, 2, -1)]
    assert Attempt.objects.filter(item=item_of(job, "k0")).count() == 10
    assert history(job, "k1")[-1][-1] == "the other item"


def test_the_next_worker_gets_the_failures_and_the_last_error(clock: Clock) -> None:
    job = make_job(items=2, phases=[PhaseSpec(code="items", retries=5)])
    take(phase_of(job), 1)
    tell(phase_of(job), "k0", "failed", attempt=1, error="first")
    clock.forward(3600)
    watchdog.sweep(clock.forward(1))
    told = {item.key: (item.failures, item.last_error) for item in take(phase_of(job))}
    assert told == {"k0": (1, "first"), "k1": (0, "")}


def test_a_restart_keeps_the_history() -> None:
    job = make_job(items=1, failed=1)
    restart(job, Clock())
    assert [outcome for _, _, outcome, _ in history(job)] == ["failed"]


def test_a_pruned_job_takes_its_history_along(clock: Clock) -> None:
    job = make_job(items=1, failed=1)
    take(phase_of(job))
    clock.forward(200 * 86_400)
    watchdog.prune()
    assert (Job.objects.count(), Attempt.objects.count()) == (0, 0)


# --- whole again -------------------------------------------------------------------------------------


def amended(job: Job) -> list[dict[str, Any]]:
    return [event.data for event in job.events.filter(type="items.amended", outward=True)]


def complete(job: Job) -> None:
    for item in take(phase_of(job)):
        tell(phase_of(job), item.key, "completed", attempt=item.attempt)


def test_retries_that_make_a_partial_phase_whole_send_one_amended_event() -> None:
    job = make_job(items=4, done=2, failed=2, threshold=50)
    for key in ("k2", "k3"):
        assert amended(job) == []
        operations.retry(job, items=[item_of(job, key).pk], actor=None)
        complete(job)
    [event] = amended(job)
    assert (event["total_assets"], event["processed_assets"], event["failed_assets"]) == (4, 4, 0)
    assert (event["has_partial_completion"], event["completed_by"]) == (False, "settled")
    assert (phase_of(job).partial, job.events.filter(type="items.completed").count()) == (True, 1)


def test_a_skip_that_makes_a_partial_phase_whole_sends_it_too() -> None:
    job = make_job(items=2, done=1, failed=1)
    operations.skip(job, items=[item_of(job, "k1").pk], actor=None)
    assert len(amended(job)) == 1


def test_late_results_of_open_items_send_nothing() -> None:
    job = make_job(items=2, done=1, threshold=50, trigger="at_threshold")
    complete(job)
    assert (phase_of(job).done, amended(job)) == (2, [])


def test_the_amended_event_is_sent_once_in_each_run() -> None:
    job = make_job(items=2, done=1, failed=1)
    for _ in range(2):
        operations.retry(job, actor=None)
        complete(job)
        operations.restart(job, phase="items", actor=None)
        for item, status in zip(take(phase_of(job)), ("completed", "failed"), strict=True):
            tell(phase_of(job), item.key, status, attempt=item.attempt)
    ids = [event["event_id"] for event in amended(job)]
    assert len(ids) == len(set(ids)) == 2


def test_retries_before_a_phase_completes_amend_nothing() -> None:
    job = make_job(items=2, failed=1)
    operations.retry(job, actor=None)
    complete(job)
    assert (phase_of(job).status, amended(job)) == ("completed", [])


def test_an_item_beyond_the_expected_number_amends_nothing_again() -> None:
    job = make_job(items=None, expected=2, done=1, failed=1)
    operations.retry(job, actor=None)
    complete(job)
    tell(phase_of(job), "extra", "failed")
    operations.retry(job, actor=None)
    complete(job)
    assert (phase_of(job).done, len(amended(job))) == (3, 1)
