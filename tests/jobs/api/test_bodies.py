"""Job bodies: rates, times left, current items."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from jobs.models import Job, Phase, Tally
from jobs.rules.pipelines import PhaseSpec
from jobs.serializers import JobBody, encode, job_body, phase_body
from tests.factories import make_job, phase_of

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(second=30, microsecond=0)
PHASES = [PhaseSpec(code=code, expected=100) for code in ("one", "two", "three")]


def work(phase: Phase, *, done: int, failed: int = 0, skipped: int = 0, minutes: int = 10, ago: int = 0) -> None:
    """Make a running phase that settled items `ago` minutes ago."""
    Phase.objects.filter(pk=phase.pk).update(
        started_at=NOW - timedelta(minutes=minutes), status="processing", done=done, failed=failed, skipped=skipped
    )
    Job.objects.filter(pk=phase.job_id).update(started_at=NOW - timedelta(minutes=minutes))
    minute = (NOW - timedelta(minutes=ago)).replace(second=0)
    Tally.objects.create(phase=phase, minute=minute, done=done, failed=failed, skipped=skipped)


def body_of(job: Job, *, now: datetime = NOW) -> JobBody:
    return job_body(Job.objects.get(pk=job.pk), now=now)


@pytest.fixture
def job() -> Job:
    made = make_job(phases=PHASES)
    made.phases.update(counted=True)
    return made


def test_the_rate_is_what_was_done_and_failed_in_the_last_five_minutes_and_never_what_was_skipped(job: Job) -> None:
    work(phase_of(job, "one"), done=8, failed=1, skipped=20)
    assert body_of(job)["phases"][0]["rate_per_minute"] == 2.0
    assert body_of(job)["phases"][0]["eta_seconds"] == 71 * 60 // 2
    assert phase_body(phase_of(job, "one"), now=NOW)["rate_per_minute"] == 2.0


def test_what_is_older_than_the_window_has_no_rate(job: Job) -> None:
    work(phase_of(job, "one"), done=9, ago=5)
    body = body_of(job)
    assert (body["rate_per_minute"], body["eta_seconds"]) == (None, None)


def test_a_phase_that_has_just_begun_is_measured_since_its_start(job: Job) -> None:
    work(phase_of(job, "one"), done=10, minutes=1)
    assert body_of(job)["phases"][0]["rate_per_minute"] == 10.0


def test_the_time_left_of_a_job_adds_the_later_phases_whose_rate_is_known(job: Job) -> None:
    work(phase_of(job, "one"), done=9)
    work(phase_of(job, "two"), done=18)
    body = body_of(job)
    times = [phase["eta_seconds"] for phase in body["phases"]]
    assert times == [91 * 60 // 2, 82 * 60 // 4, None]
    assert body["eta_seconds"] == times[0] + times[1]
    assert body["rate_per_minute"] == 6.0


def test_the_time_left_is_unknown_while_the_current_phase_has_no_rate(job: Job) -> None:
    work(phase_of(job, "one"), done=9, ago=9)
    work(phase_of(job, "two"), done=18)
    assert body_of(job)["eta_seconds"] is None


def test_a_finished_phase_has_no_time_left() -> None:
    body = job_body(make_job(items=2, done=1, failed=1))
    assert body["phases"][0]["eta_seconds"] is None
    assert body["eta_seconds"] is None


def test_an_unknown_total_is_null_in_everything_that_depends_on_it() -> None:
    phase = job_body(make_job())["phases"][0]
    unknown = ("expected", "pending", "percent", "settled_percent", "needed", "eta_seconds")
    assert {name: phase[name] for name in unknown} == dict.fromkeys(unknown)  # type: ignore[literal-required]


def test_the_body_of_a_phase_is_the_same_alone_and_within_its_job() -> None:
    job = make_job(items=3, done=1, failed=1)
    now = timezone.now()
    assert phase_body(phase_of(job), now=now) == job_body(job, now=now)["phases"][0]


def test_bodies_keep_their_declared_types() -> None:
    for job in (make_job(), make_job(items=3, done=1, failed=1, project="red", metadata={"a": [1]})):
        decoded: Any = msgspec.json.decode(encode(job_body(job)), type=JobBody)
        assert decoded["name"] == job.name
