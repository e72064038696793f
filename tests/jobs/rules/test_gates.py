"""Gates: a gated phase works only when every earlier phase has completed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from jobs import tracking, watchdog
from jobs.models import Job
from jobs.operations import force_complete, pause, restart, resume, retry
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall
from tests.factories import WORKER, complete, listed, outcomes, outward, phase_of, pipeline, settle, tell, types
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def gated(**first: Any) -> Job:
    """ocr of two listed items, then merge behind its gate."""
    job = pipeline(
        PhaseSpec("ocr", on_shortfall=Shortfall.FAIL, **first),
        PhaseSpec("merge", weight=0, gated=True, stage="Merging OCR results"),
    )
    listed(job, 2, code="ocr")
    tracking.announce(phase_of(job), expected=2, by=WORKER)
    return job


def open_gate(job: Job) -> None:
    complete(phase_of(job, "ocr"), 2)


def test_a_claim_before_the_gate_opens_answers_gated() -> None:
    job = gated()
    listed(job, 1, code="merge")
    assert tracking.claim(phase_of(job, "merge"), worker="w1", by=WORKER).reason == "gated"
    assert tracking.claim_any(worker="w1", phase="merge", by=WORKER).items == []
    open_gate(job)
    assert len(tracking.claim(phase_of(job, "merge"), worker="w1", by=WORKER).items) == 1


def test_a_report_before_the_gate_opens_is_closed() -> None:
    job = gated()
    listed(job, 1, code="merge")
    answer = tell(phase_of(job, "merge"), "k0", "completed")
    assert (answer.outcome, "gated" in answer.detail) == ("closed", True)
    open_gate(job)
    assert tell(phase_of(job, "merge"), "k0", "completed").outcome == "applied"


def test_a_report_before_the_gate_opens_creates_no_item() -> None:
    job = gated()
    assert outcomes(complete(phase_of(job, "merge"), 1)) == ["closed"]
    assert phase_of(job, "merge").items_total == 0


@pytest.mark.parametrize(
    "verb",
    [
        lambda phase: tracking.start(phase, by=WORKER),
        lambda phase: tracking.finish(phase, by=WORKER),
        lambda phase: tracking.fail(phase, by=WORKER),
        lambda phase: tracking.count(phase, done=1, event_id=uuid4(), by=WORKER),
    ],
    ids=["start", "finish", "fail", "count"],
)
def test_start_finish_fail_and_count_are_refused_before_the_gate_opens(verb: Callable[..., object]) -> None:
    job = gated()
    with pytest.raises(WrongState, match=r"gated.*completed"):
        verb(phase_of(job, "merge"))
    assert (phase_of(job, "merge").status, phase_of(job, "merge").done) == ("pending", 0)
    open_gate(job)
    verb(phase_of(job, "merge"))


def test_the_gate_opens_with_the_last_completion_and_the_job_goes_on() -> None:
    job = gated()
    complete(phase_of(job, "ocr"), 1)
    assert not phase_of(job, "merge").gate_open
    complete(phase_of(job, "ocr"), 1, start=1)
    job.refresh_from_db()
    assert (phase_of(job, "merge").gate_open, job.status, job.stage) == (True, "processing", "Merging OCR results")
    assert "merge.opened" in types(job)


def test_a_gate_waits_for_every_earlier_phase() -> None:
    job = pipeline(PhaseSpec("a", expected=1), PhaseSpec("b", expected=1), PhaseSpec("c", gated=True, expected=0))
    complete(phase_of(job, "b"), 1)
    assert phase_of(job, "c").status == "pending"
    complete(phase_of(job, "a"), 1)
    assert (phase_of(job, "c").status, phase_of(job).job.status) == ("completed", "completed")


def test_a_total_of_0_behind_a_gate_completes_when_the_gate_opens() -> None:
    job = gated()
    tracking.announce(phase_of(job, "merge"), expected=0, by=WORKER)
    assert (phase_of(job, "merge").status, outward(job, "merge.completed")) == ("pending", [])
    open_gate(job)
    assert types(job, outward=True) == ["ocr.completed", "merge.completed", "job.completed"]


def test_a_phase_announced_before_its_gate_has_its_whole_time_from_the_opening(clock: Clock) -> None:
    job = gated(watermark_ttl=9000)
    assert tracking.announce(phase_of(job, "merge"), expected=5, by=WORKER).applied
    assert phase_of(job, "merge").deadline_at is None
    watchdog.sweep(clock.forward(901))
    open_gate(job)
    assert (phase_of(job, "merge").status, phase_of(job, "merge").deadline_at) == (
        "pending",
        clock.now + timedelta(seconds=900),
    )
    assert watchdog.pass_watermarks(clock.forward(899)) == 0
    assert watchdog.pass_watermarks(clock.forward(1)) == 1
    assert phase_of(job, "merge").completed_by == "watermark"


def test_a_gate_that_opens_in_a_paused_job_starts_the_time_with_the_resume(clock: Clock) -> None:
    job = gated(watermark_ttl=9000)
    tracking.announce(phase_of(job, "merge"), expected=5, by=WORKER)
    pause(job, actor=None)
    open_gate(job)
    clock.forward(500)
    assert phase_of(job, "merge").deadline_at is None
    resume(job, actor=None)
    assert phase_of(job, "merge").deadline_at == clock.now + timedelta(seconds=900)


def test_a_pause_and_a_resume_before_the_gate_opens_start_no_time(clock: Clock) -> None:
    job = gated(watermark_ttl=9000)
    tracking.announce(phase_of(job, "merge"), expected=5, by=WORKER)
    pause(job, actor=None)
    resume(job, actor=None)
    assert phase_of(job, "merge").deadline_at is None


def test_several_gates_open_one_after_the_other_in_one_change() -> None:
    job = pipeline(PhaseSpec("a", expected=1), *(PhaseSpec(code, gated=True, expected=0) for code in "bcd"))
    complete(phase_of(job, "a"), 1)
    assert types(job, outward=True) == ["a.completed", "b.completed", "c.completed", "d.completed", "job.completed"]


def test_a_failed_phase_keeps_the_gate_shut_until_a_retry_completes_it() -> None:
    job = gated()
    settle(phase_of(job, "ocr"), ["completed", "failed"])
    assert (phase_of(job).job.status, phase_of(job, "merge").gate_open) == ("failed", False)
    assert tracking.claim(phase_of(job, "merge"), worker="w1", by=WORKER).reason == "gated"
    retry(job, actor=None)
    complete(phase_of(job, "ocr"), 2)
    assert phase_of(job, "merge").gate_open


def test_a_forced_phase_opens_the_gate() -> None:
    job = gated()
    force_complete(job, phase="ocr", actor=None, reason="enough")
    assert (phase_of(job, "merge").gate_open, phase_of(job).job.status) == (True, "pending")


def test_a_restart_shuts_the_gate_of_every_later_gated_phase() -> None:
    job = gated()
    open_gate(job)
    listed(job, 1, code="merge")
    assert outcomes(settle(phase_of(job, "merge"), ["processing"])) == ["applied"]
    restart(job, phase="ocr", actor=None)
    merge = phase_of(job, "merge")
    assert (merge.gate_open, merge.status, merge.run, merge.processing) == (False, "pending", 2, 0)
