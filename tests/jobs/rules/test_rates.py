"""Rates: settled items by minute, and the time left."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jobs import tracking, watchdog
from jobs.models import Job, Tally
from jobs.operations import restart, skip
from jobs.rules.pipelines import PhaseSpec
from jobs.serializers import job_body
from tests.factories import WORKER, complete, item_of, make_job, phase_of, pipeline, settle, take
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def rate(job: Job, clock: Clock) -> tuple[float | None, int | None]:
    body = job_body(phase_of(job).job, now=clock.now)
    return body["rate_per_minute"], body["eta_seconds"]


def begin(job: Job) -> None:
    settle(phase_of(job), ["processing"])


def test_a_tally_is_what_a_phase_settled_in_one_minute(clock: Clock) -> None:
    job = make_job(items=20)
    settle(phase_of(job), ["completed", "failed", "skipped", "processing"])
    clock.forward(59)
    complete(phase_of(job), 2, start=4)
    clock.forward(1)
    complete(phase_of(job), 1, start=6)
    rows = Tally.objects.order_by("minute").values_list("done", "failed", "skipped")
    assert list(rows) == [(3, 1, 1), (1, 0, 0)]


def test_expired_leases_are_neither_progress_nor_part_of_the_rate(clock: Clock, settings: Any) -> None:
    settings.ITEM_MAX_ATTEMPTS = 1
    job = make_job(items=4)
    take(phase_of(job), 4)
    complete(phase_of(job), 1)
    progress_at = phase_of(job).job.progress_at
    clock.forward(100)
    assert watchdog.expire_leases() == 3
    assert (phase_of(job).failed, phase_of(job).job.progress_at) == (3, progress_at)
    assert list(Tally.objects.values_list("done", "failed", "skipped")) == [(1, 0, 0)]
    assert rate(job, clock)[0] == 0.6


def test_repeated_reports_are_tallied_once(clock: Clock) -> None:
    job = make_job(items=20)
    for _ in range(3):
        complete(phase_of(job), 2)
    assert Tally.objects.get().done == 2


def test_the_rate_is_what_was_settled_since_the_start(clock: Clock) -> None:
    job = make_job(items=100)
    begin(job)
    clock.forward(60)
    complete(phase_of(job), 30)
    assert rate(job, clock) == (30.0, 140)


def test_the_rate_counts_failures_and_never_skips(clock: Clock) -> None:
    job = make_job(items=100)
    begin(job)
    clock.forward(60)
    settle(phase_of(job), ["completed"] * 10 + ["failed"] * 10 + ["skipped"] * 20)
    assert rate(job, clock) == (20.0, 180)


def test_the_rate_forgets_what_is_older_than_five_minutes(clock: Clock) -> None:
    job = make_job(items=1000)
    complete(phase_of(job), 500)
    clock.forward(600)
    complete(phase_of(job), 40, start=500)
    assert rate(job, clock) == (10.0, 2760)


def test_without_a_rate_there_is_no_time_left(clock: Clock) -> None:
    fresh, idle, skipping = make_job(items=5), make_job(items=5, done=1), make_job(items=5)
    skip(skipping, items=[item_of(skipping, "k0").pk], actor=None)
    clock.forward(600)
    assert [rate(job, clock) for job in (fresh, idle, skipping)] == [(None, None)] * 3


def test_an_unknown_total_has_a_rate_and_no_time_left(clock: Clock) -> None:
    job = make_job()
    begin(job)
    clock.forward(60)
    complete(phase_of(job), 6)
    assert rate(job, clock) == (6.0, None)


def test_a_later_phase_with_a_known_rate_adds_its_time(clock: Clock) -> None:
    job = pipeline(PhaseSpec("a", expected=60), PhaseSpec("b", expected=60), PhaseSpec("c", expected=60))
    for code in "ab":
        tracking.start(phase_of(job, code), by=WORKER)
    clock.forward(60)
    for code in "ab":
        tracking.count(phase_of(job, code), done=30, event_id=uuid4(), by=WORKER)
    body = job_body(phase_of(job).job, now=clock.now)
    assert [phase["eta_seconds"] for phase in body["phases"]] == [60, 60, None]
    assert body["eta_seconds"] == 120


def test_counted_numbers_are_tallied_too(clock: Clock) -> None:
    job = make_job(expected=100)
    tracking.start(phase_of(job), by=WORKER)
    clock.forward(60)
    tracking.count(phase_of(job), done=30, failed=10, skipped=20, event_id=uuid4(), by=WORKER)
    assert rate(job, clock) == (40.0, 60)


def test_a_completed_phase_has_no_time_left(clock: Clock) -> None:
    job = make_job(items=3)
    begin(job)
    clock.forward(60)
    complete(phase_of(job), 3)
    assert rate(job, clock)[1] is None


def test_a_restart_clears_the_tallies(clock: Clock) -> None:
    job = make_job(items=3, done=2)
    restart(job, phase="items", actor=None)
    assert not Tally.objects.exists()
    assert rate(job, clock) == (None, None)


def test_failures_alone_give_a_rate_and_no_time_left(clock: Clock) -> None:
    job = make_job(items=20)
    settle(phase_of(job), ["failed"] * 5)
    clock.forward(60)
    assert rate(job, clock) == (5.0, None)
    complete(phase_of(job), 1, start=5)
    assert rate(job, clock) == (6.0, 140)
