"""Quarantine: bad workers are told apart from bad data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import contracts, operations, tracking
from jobs.change import Actor
from jobs.models import Item, Job, Phase, Quarantine, WorkerTally
from jobs.operations.diagnosis import diagnose
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import NotPermitted
from jobs.tracking import Result
from tests.factories import make_job, operator, outward, phase_of, take, tell
from tests.jobs.rules.conftest import Clock
from tests.jobs.test_sql_pins import statements

pytestmark = pytest.mark.django_db
LIMIT, PAUSE = 5, 900
BAD, GOOD = "bad", "good"


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    settings.WORKER_FAILURE_LIMIT, settings.WORKER_QUARANTINE_SECONDS = LIMIT, PAUSE


def fail(phase: Phase, number: int = LIMIT, *, worker: str = BAD) -> None:
    """Claim and fail that many items, one by one."""
    for _ in range(number):
        for item in take(phase, 1, worker=worker):
            tell(phase, item.key, "failed", worker=worker, attempt=item.attempt, error="disk full")


def succeed(phase: Phase, *, worker: str = GOOD) -> None:
    """Claim and complete one item."""
    [item] = take(phase, 1, worker=worker)
    tell(phase, item.key, "completed", worker=worker, attempt=item.attempt)


def claim(phase: Phase, *, worker: str = BAD, limit: int = 10) -> tracking.Claimed:
    """Claim items of the phase."""
    return tracking.claim(phase_of(phase.job), worker=worker, limit=limit, by=Actor(name=worker))


def claim_any(*, worker: str = BAD, limit: int = 10) -> tracking.Claimed:
    """Claim items of any job."""
    return tracking.claim_any(worker=worker, phase="items", limit=limit, by=Actor(name=worker))


def quarantined_job(*, items: int = 60, **fields: Any) -> Phase:
    """Make a job in which one worker is quarantined and another works."""
    phase = phase_of(make_job(items=items, **fields))
    succeed(phase)
    fail(phase)
    assert phase_of(phase.job).quarantined == 1
    return phase


def pass_time() -> None:
    """Let the pause of every quarantine be over."""
    Quarantine.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_a_worker_that_only_fails_while_another_succeeded_lately_is_quarantined() -> None:
    phase = phase_of(make_job(items=60))
    succeed(phase)
    fail(phase, LIMIT - 1)
    assert claim(phase, limit=1).reason is None
    fail(phase, 1)
    answer = claim(phase)
    assert (answer.items, answer.reason) == ([], "quarantined")
    assert timedelta(seconds=PAUSE - 60) < answer.retry_at - timezone.now() <= timedelta(seconds=PAUSE)  # type: ignore[operator]
    assert len(claim(phase, worker=GOOD).items) == 10


def test_a_worker_that_only_fails_while_another_holds_an_item_is_quarantined() -> None:
    phase = phase_of(make_job(items=60))
    take(phase, 1, worker=GOOD)
    fail(phase)
    assert claim(phase).reason == "quarantined"


def test_what_it_holds_is_released_and_its_late_results_are_stale() -> None:
    phase = phase_of(make_job(items=60))
    take(phase, 1, worker=GOOD)
    held = take(phase, 3, worker=BAD)
    fail(phase)
    assert set(Item.objects.held().values_list("worker", flat=True)) == {GOOD}
    assert phase_of(phase.job).processing == 1
    assert tell(phase, held[0].key, "failed", worker=BAD, attempt=held[0].attempt).outcome == "stale"


def test_one_event_is_sent_for_each_quarantine_and_none_for_a_renewal() -> None:
    phase = quarantined_job()
    [data] = outward(phase.job, "job.worker_quarantined")
    assert contracts.faults("job.worker_quarantined", data) == []
    assert (data["worker"], data["failures"]) == (BAD, LIMIT)
    pass_time()
    fail(phase, 1)
    assert claim(phase).reason == "quarantined"
    assert len(outward(phase.job, "job.worker_quarantined")) == 1
    assert phase.job.events.filter(type="job.quarantine_renewed").count() == 1


def test_after_the_pause_it_gets_one_item_and_a_success_lifts_the_quarantine() -> None:
    phase = quarantined_job()
    pass_time()
    [item] = claim(phase).items
    assert (claim(phase).items, claim(phase).reason) == ([], "quarantined")
    assert claim_any().items == []
    tell(phase, item.key, "completed", worker=BAD, attempt=item.attempt)
    assert not Quarantine.objects.exists()
    assert len(claim(phase).items) == 10
    fail(phase, LIMIT - 1)
    assert not Quarantine.objects.exists()


def test_the_common_claim_skips_the_phase_and_tries_it_out_with_one_item() -> None:
    phase = quarantined_job()
    assert (claim_any().items, claim_any().reason) == ([], "quarantined")
    other = make_job(items=3)
    assert {item.job for item in claim_any(limit=2).items} == {other.pk}
    pass_time()
    [item] = claim_any().items
    assert item.job == phase.job.pk
    assert {each.job for each in claim_any().items} == {other.pk}


def test_where_every_worker_only_fails_nobody_is_quarantined() -> None:
    phase = phase_of(make_job(items=60))
    for _ in range(3 * LIMIT):
        fail(phase, 1, worker=BAD)
        fail(phase, 1, worker=GOOD)
    assert not Quarantine.objects.exists()
    assert outward(phase.job, "job.worker_quarantined") == []


def test_a_quarantine_ends_when_the_other_workers_only_fail_too() -> None:
    phase = phase_of(make_job(items=60))
    take(phase, 1, worker=GOOD)
    fail(phase)
    assert claim(phase).reason == "quarantined"
    fail(phase, LIMIT, worker=GOOD)
    assert claim(phase).reason is None
    assert phase_of(phase.job).quarantined == 0


def test_a_success_of_more_than_ten_minutes_ago_does_not_count() -> None:
    phase = phase_of(make_job(items=60))
    succeed(phase)
    WorkerTally.objects.update(succeeded_at=timezone.now() - timedelta(minutes=11))
    fail(phase)
    assert not Quarantine.objects.exists()


def test_a_success_in_between_ends_the_run() -> None:
    phase = phase_of(make_job(items=60))
    succeed(phase)
    fail(phase, LIMIT - 1)
    succeed(phase, worker=BAD)
    fail(phase, LIMIT - 1)
    results = [Result(f"k{n}", status, error="no") for n, status in ((40, "failed"), (41, "completed"))]
    tracking.report(phase, worker=BAD, results=results, by=Actor(name=BAD))
    fail(phase, LIMIT - 1)
    assert not Quarantine.objects.exists()


def test_a_run_goes_over_the_slots_of_the_tallies(clock: Clock) -> None:
    phase = phase_of(make_job(items=60))
    fail(phase, LIMIT - 1)
    clock.forward(30 * 60)
    succeed(phase)
    fail(phase, 1)
    assert claim(phase).reason == "quarantined"


def test_the_limit_0_switches_it_off(settings: Any) -> None:
    phase = quarantined_job()
    settings.WORKER_FAILURE_LIMIT = 0
    assert len(claim(phase).items) == 10
    fail(phase, 2 * LIMIT)
    assert len(outward(phase.job, "job.worker_quarantined")) == 1


def test_workers_of_two_accounts_with_one_name_are_judged_apart() -> None:
    phase = phase_of(make_job(items=60))
    one, other = (Actor(account=User.objects.create(username=name), name="gpu-1") for name in ("one", "other"))
    for by in (other, *[one] * LIMIT):
        [item] = tracking.claim(phase, worker="gpu-1", limit=1, by=by).items
        results = [Result(item.key, "failed" if by is one else "completed", attempt=item.attempt, error="no")]
        tracking.report(phase, worker="gpu-1", results=results, by=by)
    assert tracking.claim(phase_of(phase.job), worker="gpu-1", by=one).reason == "quarantined"
    assert tracking.claim(phase_of(phase.job), worker="gpu-1", limit=1, by=other).items


def test_it_may_start_no_item_by_a_report_either() -> None:
    phase = quarantined_job()
    answer = tell(phase_of(phase.job), "k50", "processing", worker=BAD)
    assert answer.outcome == "closed"
    assert "quarantined" in answer.detail
    assert tell(phase_of(phase.job), "k50", "processing", worker=GOOD).outcome == "applied"


def test_an_operator_lifts_it_and_its_earlier_failures_count_no_more() -> None:
    phase, lead = quarantined_job(), operator("lift")
    with pytest.raises(NotPermitted):
        operations.lift(phase.job, actor=operator("retry"))
    assert operations.lift(phase.job, actor=lead, worker="another").changed == 0
    assert operations.lift(phase.job, actor=lead, phase="items", worker=BAD, reason="new disk").changed == 1
    assert LogEntry.objects.filter(user=lead, change_message__contains="lifted").exists()
    fail(phase, LIMIT - 1)
    assert not Quarantine.objects.exists()
    fail(phase, 1)
    assert phase_of(phase.job).quarantined == 1
    assert operations.lift(phase.job, actor=lead).changed == 1


def run(job: Job, work: dict[str, str], *, good_at_once: int = 1) -> Phase:
    """Let these workers work in turn, each with its outcome, until none gets an item."""
    phase, idle = phase_of(job), 0
    while idle < len(work):
        idle = 0
        for worker, status in work.items():
            items = take(phase_of(job), good_at_once if status == "completed" else 1, worker=worker)
            idle += not items
            results = [Result(item.key, status, attempt=item.attempt, error="disk full") for item in items]
            tracking.report(phase, worker=worker, results=results, by=Actor(name=worker))
    return phase_of(job)


def test_a_bad_disk_costs_at_most_the_limit_and_the_other_worker_finishes_the_job() -> None:
    phase = run(make_job(items=500), {BAD: "failed", GOOD: "completed"}, good_at_once=20)
    assert (phase.failed, phase.done, phase.status) == (LIMIT, 500 - LIMIT, "completed")


def test_bad_data_quarantine_nobody_and_the_job_fails_and_says_so() -> None:
    job = make_job(items=50, on_shortfall="fail")
    phase = run(job, {BAD: "failed", GOOD: "failed"})
    job.refresh_from_db()
    assert (phase.failed, phase.status, job.status) == (50, "failed", "failed")
    assert "disk full" in job.error
    assert outward(job, "job.worker_quarantined") == []


def test_a_successful_report_costs_no_further_statement(settings: Any) -> None:
    phase = phase_of(make_job(items=60))

    def report(status: str, start: int) -> list[str]:
        results = [Result(f"k{start}", status, error="no")]
        return statements(lambda: tracking.report(phase, worker=GOOD, results=results, by=Actor(name=GOOD)))

    report("completed", 0)
    counts = {}
    for limit in (0, LIMIT):
        settings.WORKER_FAILURE_LIMIT = limit
        counts[limit] = (len(report("completed", 10 + limit)), len(report("failed", 20 + limit)))
    assert counts[LIMIT][0] == counts[0][0]
    assert counts[LIMIT][1] == counts[0][1] + 1


def test_the_diagnosis_names_the_worker() -> None:
    phase = quarantined_job()
    found = diagnose(snapshot_of(Job.objects.get(pk=phase.job.pk)))
    [cause] = [cause for cause in found.causes if cause.code == "quarantined_worker"]
    assert cause.detail.startswith(f"Worker {BAD} is quarantined until ")
    assert found.pressing
