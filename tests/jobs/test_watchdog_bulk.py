"""Bulk acts in the watchdog: they run beside its sweeps, almost without pauses."""

from __future__ import annotations

from threading import Event, Semaphore

import pytest
from django.core.management import call_command
from django.db import OperationalError

from jobs.management import watchdog_loop
from jobs.models import BulkAct
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from tests.factories import make_job, operator

pytestmark = pytest.mark.django_db


class Stop(Event):
    """A signal that ends the loop after so many rounds and records the waits."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.left, self.waits = rounds, []

    def wait(self, timeout: float | None = None) -> bool:
        """Count the wait instead of waiting."""
        self.waits.append(timeout)
        self.left -= 1
        if not self.left:
            self.set()
        return self.is_set()


@pytest.fixture(autouse=True)
def _one_job_at_a_time_on_this_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog_loop, "BULK_SECONDS", 0.0)
    monkeypatch.setattr(watchdog_loop, "close_old_connections", lambda: None)


def begun(number: int) -> BulkAct:
    """Create a bulk act that pauses so many jobs."""
    jobs = [make_job(items=1) for _ in range(number)]
    marks = [TargetSelection(figures.job, bulk.expected_state(figures).states) for figures in snapshots_of(jobs)]
    return bulk.create_bulk_act(ActRequest(ACTS["pause"], Scope(), ""), marks, actor=operator("pause"))


def test_the_loop_hardly_pauses_while_a_bulk_act_is_left_to_do() -> None:
    act, stop = begun(3), Stop(4)
    watchdog_loop.act_until(stop, interval=2.0)
    assert stop.waits == [watchdog_loop.BULK_PAUSE, watchdog_loop.BULK_PAUSE, 2.0, 2.0]
    act.refresh_from_db()
    assert (act.status, act.done) == ("finished", 3)


def test_a_bulk_act_that_cannot_go_on_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(**_: float) -> bool:
        raise OperationalError("database is locked")

    monkeypatch.setattr(watchdog_loop.bulk, "run_bulk_acts", locked)
    stop = Stop(2)
    watchdog_loop.act_until(stop, interval=2.0)
    assert stop.waits == [2.0, 2.0]


def test_a_bulk_act_that_takes_long_does_not_hold_up_the_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bulk act ends only when two sweeps have run since it began."""
    stop, begun_, swept = Event(), Event(), Semaphore(0)

    def long_act(**_: float) -> bool:
        begun_.set()
        assert swept.acquire(timeout=10)
        assert swept.acquire(timeout=10)
        stop.set()
        return False

    def sweep() -> dict[str, int]:
        if begun_.wait(10):
            swept.release()
        return {}

    monkeypatch.setattr(watchdog_loop.bulk, "run_bulk_acts", long_act)
    monkeypatch.setattr(watchdog_loop.watchdog, "sweep", sweep)
    watchdog_loop.watch(stop, interval=0.01)
    assert stop.is_set()


def test_a_loop_with_a_long_interval_gives_signs_of_life_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    monkeypatch.setattr(watchdog_loop.process_heartbeats, "beat", beats.append)
    stop = Stop(3)
    watchdog_loop.sweep_until(stop, interval=25.0)
    assert stop.waits == [watchdog_loop.BEAT_SECONDS, watchdog_loop.BEAT_SECONDS, 5.0]
    assert beats == ["watchdog"] * 3


def test_once_goes_on_with_it_for_a_moment() -> None:
    act = begun(2)
    call_command("watchdog", "--once")
    act.refresh_from_db()
    assert (act.status, act.done) == ("running", 1)
