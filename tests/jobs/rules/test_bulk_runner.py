"""The runner of bulk acts: it continues in portions, through restarts, until it is stopped, at a constant cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, watchdog
from jobs.db import pauses
from jobs.models import BulkAct, BulkTarget, Job
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import runner
from jobs.operations.estimate import estimates
from jobs.operations.registry import ACTS
from jobs.rules.errors import NotPermitted, WrongState
from tests.factories import item_of, make_job, operator, types
from tests.jobs.bulk_acts import begun, outcomes

pytestmark = pytest.mark.django_db


# --- in portions, through restarts --------------------------------------------------------------------


def test_what_takes_longer_goes_on_with_the_watchdog_where_it_stood() -> None:
    jobs = [make_job(items=1) for _ in range(3)]
    act = begun("pause", jobs, actor=operator("pause"))
    assert not bulk.run_bulk_act(act, seconds=0)
    assert (act.status, act.done, act.left) == ("running", 1, 2)
    assert bulk.run_bulk_acts(seconds=0)
    assert not bulk.run_bulk_acts(seconds=0)
    act.refresh_from_db()
    assert (act.status, act.done) == ("finished", 3)
    assert all(types(job).count("operator.pause") == 1 for job in jobs)


def test_acts_take_turns_so_that_one_of_a_single_job_is_not_held_up_by_one_of_many() -> None:
    many = begun("pause", [make_job(items=1) for _ in range(6)], actor=operator("pause"))
    bulk.run_bulk_act(many, seconds=0)
    one = begun("pause", [make_job(items=1)], actor=operator("pause"))
    assert bulk.run_bulk_acts(seconds=0)
    assert [BulkAct.objects.get(pk=act.pk).status for act in (many, one)] == ["running", "finished"]
    assert not bulk.run_bulk_acts(seconds=60)


def test_two_acts_of_many_jobs_progress_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TURN_SECONDS", 0)
    acts = [begun("pause", [make_job(items=1) for _ in range(4)], actor=operator("pause")) for _ in range(2)]
    order: list[int] = []
    real = runner._process_next
    monkeypatch.setattr(runner, "_process_next", lambda act, *rest: order.append(act.pk) or real(act, *rest))
    assert not bulk.run_bulk_acts(seconds=60)
    assert order[:8] == [acts[0].pk, acts[1].pk] * 4


def test_acts_whose_jobs_are_all_held_by_others_do_not_keep_the_loop_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    begun("pause", [make_job(items=1)], actor=operator("pause"))
    turns: list[int] = []
    monkeypatch.setattr(runner, "_process_next", lambda act, *rest: bool(turns.append(act.pk)))
    assert bulk.run_bulk_acts(seconds=60)
    assert len(turns) == 1


def test_a_loop_of_transactions_lets_other_writers_of_sqlite_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step it pauses as long as the step took, at most LONGEST."""
    clock, slept = iter([0.0, 0.02, 1.0, 9.0, 10.0]), []
    monkeypatch.setattr(pauses.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(pauses.time, "sleep", slept.append)
    list(pauses.with_pauses([1, 2]))
    assert slept == ([0.02, pauses.LONGEST] if connection.vendor == "sqlite" else [])


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("step", ["_store", "_outcome"])
@pytest.mark.parametrize("after", [True, False])
def test_a_job_is_done_exactly_once_whenever_the_process_dies(
    monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    jobs = [make_job(items=2, failed=1) for _ in range(3)]
    act = begun("retry", jobs, actor=operator("retry"))
    real, calls = getattr(runner, step), []

    def die(*args: Any) -> Any:
        calls.append(args)
        answer = real(*args) if after or len(calls) != 2 else None
        if len(calls) == 2:
            raise Killed
        return answer

    monkeypatch.setattr(runner, step, die)
    with pytest.raises(Killed):
        bulk.run_bulk_act(act, seconds=60)
    act.refresh_from_db()
    assert (act.done, BulkTarget.objects.open().count()) == (1, 2)
    assert [types(job).count("operator.retry") for job in jobs] == [1, 0, 0]
    assert bulk.run_bulk_act(act, seconds=60)
    assert (act.done, act.changed) == (3, 3)
    assert all(types(job).count("operator.retry") == 1 for job in jobs)


def test_a_database_that_fails_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    act = begun("pause", [make_job(items=1), make_job(items=1)], actor=operator("pause"))

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(runner, "execute", locked)
        assert not bulk.run_bulk_act(act, seconds=60)
    assert BulkTarget.objects.open().filter(bulk=act).count() == 2
    assert bulk.run_bulk_act(act, seconds=60)
    assert act.done == 2


def test_a_defect_refuses_its_job_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = make_job(name="a", items=1), make_job(name="b", items=1)
    act, real = begun("pause", [a, b], actor=operator("pause")), runner.execute

    def broken(order: Any, job_id: int, **kwargs: Any) -> Any:
        answer = real(order, job_id, **kwargs)
        return answer if job_id != a.pk else 1 // 0

    monkeypatch.setattr(runner, "execute", broken)
    assert bulk.run_bulk_act(act, seconds=60)
    assert outcomes(act) == {"a": "refused", "b": "changed"}


# --- stopping -----------------------------------------------------------------------------------------


def test_a_stopped_act_leaves_the_rest_as_it_is() -> None:
    olga, jobs = operator("pause"), [make_job(items=1) for _ in range(3)]
    act = begun("pause", jobs, actor=olga)
    bulk.run_bulk_act(act, seconds=0)
    bulk.stop_bulk_act(act, actor=olga)
    assert not bulk.run_bulk_acts(seconds=60)
    bulk.run_bulk_act(act, seconds=60)
    assert (act.status, act.done, act.left, act.ended_by) == ("stopped", 1, 2, olga.username)
    assert Job.objects.filter(status="paused").count() == 1
    assert LogEntry.objects.filter(user=olga, change_message="stop: 1 of 3 jobs were done.").exists()


def test_what_was_stopped_in_the_middle_of_a_job_takes_the_job_back(monkeypatch: pytest.MonkeyPatch) -> None:
    olga, jobs = operator("pause"), [make_job(items=1) for _ in range(2)]
    act, real = begun("pause", jobs, actor=olga), runner.execute

    def stopped(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        BulkAct.objects.update(status="stopped")
        return answer

    monkeypatch.setattr(runner, "execute", stopped)
    bulk.run_bulk_act(act, seconds=60)
    assert not Job.objects.filter(status="paused").exists()
    assert BulkTarget.objects.open().count() == 2


def test_stopping_needs_the_permission_of_the_act_and_something_that_runs() -> None:
    act = begun("cancel", [make_job(items=1)], actor=operator("cancel"))
    with pytest.raises(NotPermitted):
        bulk.stop_bulk_act(act, actor=operator("pause"))
    bulk.run_bulk_act(act, seconds=60)
    with pytest.raises(WrongState):
        bulk.stop_bulk_act(act, actor=operator("cancel"))


# --- cost and age --------------------------------------------------------------------------------------


def test_a_slice_costs_the_same_for_three_jobs_and_for_a_thousand() -> None:
    olga, job = operator("pause"), make_job(items=1)
    costs = []
    for number in (3, 1000):
        act = begun("pause", [job], actor=olga)
        act.total = number
        act.save()
        others = (
            BulkTarget(bulk=act, job_id=n, name=f"n{n}", states="", was="pending")
            for n in range(10**6, 10**6 + number - 1)
        )
        BulkTarget.objects.bulk_create(others)
        with CaptureQueriesContext(connection) as queries:
            bulk.run_bulk_act(act, seconds=0)
        costs.append(len(queries))
        BulkAct.objects.update(status="stopped")
        operations.resume(Job.objects.get(), actor=None)
        job.refresh_from_db()
    assert costs[0] == costs[1] <= 40


def test_the_forecast_of_many_jobs_costs_the_same_as_that_of_few(django_assert_max_num_queries: Any) -> None:
    olga = operator("retry", "release", "restart")
    jobs = [make_job(items=2, failed=1) for _ in range(12)]
    items = {job.pk: (item_of(job, "k0").pk,) for job in jobs}
    for slug in ("retry", "release", "restart"):
        with django_assert_max_num_queries(6):
            assert len(estimates(ACTS[slug], jobs, olga, Scope(), items)) == 12


def test_old_bulk_acts_are_pruned_with_their_jobs() -> None:
    act = begun("pause", [make_job(items=1)], actor=operator("pause"))
    assert watchdog.prune(now=timezone.now() + timedelta(days=89)).bulk_acts == 0
    later = timezone.now() + timedelta(days=91)
    assert watchdog.prune(dry_run=True, now=later).bulk_acts == 1
    assert watchdog.prune(now=later).bulk_acts == 1
    assert not BulkTarget.objects.filter(bulk_id=act.pk).exists()
