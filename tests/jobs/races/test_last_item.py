"""Races for the last item: a phase completes exactly once, and no item is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.models import Job, Phase
from jobs.rules.errors import Refused
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Batch, Result, report_many
from tests.factories import WORKER, complete, make_job
from tests.jobs.races.concurrency import assert_whole, completed_events, fresh, outcomes, threads

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(10)


def almost_done(items: int, *, left: int, **fields: Any) -> tuple[Job, Phase]:
    """Make a job with all but the last `left` items done, ready for the race."""
    job = make_job(items=items, done=items - left, **fields)
    return job, fresh(job)


def tell(phase: Phase, number: int) -> Callable[[], tracking.Reported]:
    """Return an act that reports one item as completed, in a transaction of its own like another process."""
    batch = Batch(phase, "w1", [Result(f"k{number}", "completed")], WORKER)
    return lambda: report_many([batch])[0]


@pytest.mark.parametrize("trigger", ["at_threshold", "when_settled"])
def test_the_last_two_items_complete_the_phase_once(trigger: str) -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job, phase = almost_done(5, left=2, trigger=trigger)
            answers = team.at_once(tell(phase, 3), tell(phase, 4))
            assert outcomes(answers) == ["applied", "applied"]
            phase = assert_whole(job)
            assert (phase.status, phase.done, phase.completed_by) == ("completed", 5, "all_done")
            assert job.events.filter(type="job.completed").count() == 1


def test_the_last_item_told_by_four_at_once_counts_once() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job, phase = almost_done(3, left=1)
            answers = team.at_once(*[tell(phase, 2)] * 4)
            assert outcomes(answers) == ["applied", "duplicate", "duplicate", "duplicate"]
            assert assert_whole(job).done == 3


def test_an_unknown_item_told_by_four_at_once_is_created_once() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job = make_job(expected=1)
            phase = fresh(job)
            answers = team.at_once(*[tell(phase, 0)] * 4)
            assert outcomes(answers) == ["applied", "duplicate", "duplicate", "duplicate"]
            phase = assert_whole(job)
            assert (phase.items_total, phase.status) == (1, "completed")


def test_the_last_item_and_the_watermark_complete_the_phase_once() -> None:
    late = timezone.now() + timedelta(hours=1)
    with threads(3) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1)
            tracking.announce(phase, expected=5, by=WORKER)
            phase = fresh(job)
            sweep = partial(watchdog.pass_watermarks, late)
            reported, *passed = team.at_once(tell(phase, 3), sweep, sweep)
            assert (outcomes([reported]), sum(passed)) == (["applied"], 1)
            phase = assert_whole(job)
            assert (phase.status, phase.done, phase.completed_by, phase.partial) == ("completed", 4, "watermark", True)


def test_the_last_item_and_force_complete_complete_the_phase_once() -> None:
    force = partial(operations.force_complete, actor=None, reason="enough")
    with threads(3) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1)
            reported, *forced = team.at_once(tell(phase, 3), partial(force, job), partial(force, job))
            phase = assert_whole(job)
            [event] = completed_events(phase)
            won = outcomes([reported]) == ["applied"]
            assert (phase.status, phase.forced, phase.partial) == ("completed", not won, not won)
            assert event.data["processed_assets"] == phase.done == 3 + won
            assert outcomes([reported]) == ["applied" if won else "closed"]
            changed = [0 if isinstance(act, Refused) else act.changed for act in forced]
            assert sum(changed) == (0 if won else 1)


def test_the_last_item_and_a_larger_total_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1)
            reported, announced = team.at_once(tell(phase, 3), partial(tracking.announce, phase, expected=5, by=WORKER))
            phase = assert_whole(job)
            assert (outcomes([reported]), phase.done) == (["applied"], 4)
            assert (phase.status, phase.expected) == (("processing", 5) if announced.applied else ("completed", 4))


def test_the_last_item_and_the_first_announcement_complete_the_phase_once() -> None:
    with threads(3) as team:
        for _ in ROUNDS:
            job = make_job()
            complete(fresh(job), 1)
            phase = fresh(job)
            announce = partial(tracking.announce, phase, expected=2, by=WORKER)
            team.at_once(tell(phase, 1), announce, announce)
            phase = assert_whole(job)
            assert (phase.status, phase.done, phase.expected) == ("completed", 2, 2)
            assert job.events.filter(type="items.announced").count() == 1


def test_the_last_item_and_new_items_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1)
            more = [tracking.NewItem("k4")]
            reported, added = team.at_once(tell(phase, 3), partial(tracking.add_items, phase, items=more, by=WORKER))
            phase = assert_whole(job)
            refused = isinstance(added, Refused)
            assert outcomes([reported]) == ["applied"]
            assert (phase.status, phase.expected) == (("completed", 4) if refused else ("processing", 5))


def test_the_last_item_and_cancel_leave_one_truth() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1)
            reported, act = team.at_once(tell(phase, 3), partial(operations.cancel, job, actor=None))
            phase = assert_whole(job)
            job.refresh_from_db()
            won = isinstance(act, Refused)
            assert outcomes([reported]) == ["applied" if won else "closed"]
            assert (job.status, phase.done) == (("completed", 4) if won else ("cancelled", 3))
            assert job.events.filter(type__in=["job.completed", "job.cancelled"]).count() == 1


def test_the_last_item_and_its_failure_settle_it_once() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            job, phase = almost_done(4, left=1, on_shortfall="fail")
            failure = partial(tracking.report, phase, results=[Result("k3", "failed", error="late")], by=WORKER)
            answers = team.at_once(tell(phase, 3), failure)
            phase = assert_whole(job)
            failed_first = phase.status == "failed"
            assert outcomes(answers) == ["applied", "closed" if failed_first else "stale"]
            assert (phase.done, phase.failed) == ((3, 1) if failed_first else (4, 0))


def test_a_gate_opens_once_for_the_two_last_items_before_it() -> None:
    specs = [PhaseSpec(code="first"), PhaseSpec(code="second", gated=True)]
    with threads(2) as team:
        for _ in ROUNDS:
            job = make_job(phases=specs, items=2)
            second = fresh(job, "second")
            tracking.announce(second, expected=0, by=WORKER)
            phase = fresh(job, "first")
            team.at_once(tell(phase, 0), tell(phase, 1))
            assert_whole(job)
            job.refresh_from_db()
            assert job.status == "completed"
            assert job.events.filter(type="second.opened").count() == 1
            assert job.events.filter(type="second.completed").count() == 1
