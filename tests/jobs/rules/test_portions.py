"""Large acts: their items move in portions, and after each of them every rule holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.models import BulkAct, Event, Item, Job
from jobs.operations import bulk, portions
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from tests.factories import make_job, operator, outward, phase_of, pipeline, settle, take, tell, types
from tests.jobs.bulk_acts import details

pytestmark = pytest.mark.django_db
SIZE = 9


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an act on six items a large one, and a portion of two."""
    monkeypatch.setattr(portions, "LARGE", 5)
    monkeypatch.setattr(portions, "PORTION", 2)


def step() -> bool:
    """Move one portion; return True while some are left."""
    [act] = BulkAct.objects.running()
    assert not watchdog.recount()
    left = not bulk.run_bulk_act(act, seconds=0)
    assert not watchdog.recount()
    return left


def finish() -> int:
    """Move every portion; return their number."""
    number = 1
    while step():
        number += 1
    return number


def statuses(job: Job) -> dict[str, str]:
    """Return the status of each item."""
    return dict(Item.objects.filter(phase__job=job).order_by("pk").values_list("key", "status"))


def restart(job: Job, **arguments: Any) -> operations.Act:
    return operations.restart(job, phase="items", actor=operator("restart"), reason="again", **arguments)


# --- restart ------------------------------------------------------------------------------------------


def test_a_large_restart_answers_at_once_and_its_items_follow_in_portions() -> None:
    job = make_job(items=SIZE, done=6, failed=2, skipped=1)
    act = restart(job)
    assert act.changed == 8
    assert (phase_of(job).run, phase_of(job).done, phase_of(job).failed) == (2, 6, 2)
    assert finish() == 5
    assert statuses(job) == {f"k{n}": "pending" for n in range(8)} | {"k8": "skipped"}
    [done] = BulkAct.objects.all()
    assert (done.status, done.done, done.changed) == ("finished", 1, 8)
    assert [done.targets.get().detail] == ["8 of 8 items pending again."]
    assert types(job).count("operator.restart") == types(job).count("restart.moved") == 1


def test_a_restart_in_portions_ends_like_one_in_a_single_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    def columns(job: Job) -> list[dict[str, Any]]:
        hidden = {"id", "job_id", "phase_id", "current_item_id", "last_item_at"}
        rows = [*job.phases.values(), *Item.objects.filter(phase__job=job).order_by("pk").values()]
        return [{name: value for name, value in row.items() if name not in hidden} for row in rows]

    large, small = (make_job(items=SIZE, done=5, failed=2) for _ in range(2))
    for job in (large, small):
        take(phase_of(job), 1)
    restart(large)
    finish()
    monkeypatch.setattr(portions, "LARGE", SIZE)
    restart(small)
    assert columns(large) == columns(small)


def test_while_it_restarts_a_phase_gives_and_takes_no_work_and_is_not_evaluated() -> None:
    job = make_job(items=SIZE, done=SIZE, threshold=50, trigger="at_threshold")
    assert len(outward(job, "items.completed")) == 1
    restart(job)
    while True:
        phase = phase_of(job)
        assert tracking.claim(phase, worker="w1", by=tracking.Actor(name="w1")).reason == "gated"
        assert tracking.claim_any(worker="w1", phase="items", by=tracking.Actor(name="w1")).items == []
        assert tell(phase, "k8", "failed").outcome == "closed"
        if not step():
            break
    assert len(outward(job, "items.completed")) == 1
    assert len(take(phase_of(job))) == SIZE
    settle(phase_of(job), ["completed"] * SIZE)
    assert len(outward(job, "items.completed")) == 2


def test_a_lease_of_the_run_before_is_over_before_the_first_portion() -> None:
    job = make_job(items=SIZE, done=7)
    [held] = take(phase_of(job), 1)
    restart(job)
    finish()
    assert tell(phase_of(job), held.key, "completed", attempt=held.attempt).outcome == "stale"


def test_a_large_restart_of_the_failed_ones_keeps_what_is_done_but_not_in_later_gated_phases() -> None:
    job = pipeline(PhaseSpec(code="items", expected=8), PhaseSpec(code="merge", expected=8, gated=True))
    for code in ("items", "merge"):
        tracking.add_items(
            phase_of(job, code), items=[tracking.NewItem(f"k{n}") for n in range(8)], by=tracking.Actor()
        )
    settle(phase_of(job, "items"), ["completed"] * 4 + ["failed"] * 4)
    settle(phase_of(job, "merge"), ["completed"] * 8)
    assert restart(job, only="failed").changed == 12
    finish()
    counts = {phase.code: (phase.done, phase.failed, phase.pending_items) for phase in job.phases.all()}
    assert counts == {"items": (4, 0, 4), "merge": (0, 0, 8)}
    assert not phase_of(job, "merge").gate_open


def test_other_acts_on_a_phase_that_moves_are_refused_by_name_of_the_bulk_act() -> None:
    job = make_job(items=SIZE, done=SIZE)
    restart(job)
    [act] = BulkAct.objects.all()
    with pytest.raises(WrongState, match=f"Bulk act {act.pk} moves the items of phase items in portions; restart is"):
        restart(job)
    with pytest.raises(WrongState, match="retry is possible when it is over or stopped"):
        operations.retry(job, phase="items", actor=operator("retry"))
    finish()
    assert restart(job).changed == 0


# --- stopped, cancelled, killed -----------------------------------------------------------------------


def test_a_stopped_restart_keeps_the_other_results_and_waits_for_the_pending_items() -> None:
    job = make_job(items=SIZE, done=SIZE, threshold=50, trigger="at_threshold")
    restart(job)
    assert step()
    olga = operator("restart")
    bulk.stop_bulk_act(BulkAct.objects.get(), actor=olga)
    phase = phase_of(job)
    assert (phase.moving, phase.done, phase.pending_items, phase.status) == ("", 7, 2, "pending")
    assert not bulk.run_bulk_acts(seconds=0)
    assert not watchdog.recount()
    settle(phase, ["completed"] * 2)
    assert phase_of(job).is_completed
    assert len(outward(job, "items.completed")) == 2


ENDS: list[tuple[str, Callable[[Job], Any]]] = [
    ("cancelled", lambda job: operations.cancel(job, actor=operator("cancel"), reason="why")),
    ("failed", lambda job: operations.fail(job, actor=operator("fail"), reason="why")),
    ("completed", lambda job: operations.force_complete(job, actor=operator("force_complete"), reason="why")),
]


@pytest.mark.parametrize(("status", "end"), ENDS, ids=[status for status, _ in ENDS])
def test_the_end_of_its_job_ends_the_portions(status: str, end: Callable[[Job], Any]) -> None:
    job = make_job(items=SIZE, done=SIZE)
    restart(job)
    assert step()
    end(job)
    assert not step()
    job.refresh_from_db()
    assert (job.status, phase_of(job).done, phase_of(job).moving) == (status, 7, "")
    assert BulkAct.objects.get().targets.get().detail == "2 of 9 items pending again."


def test_portions_of_an_earlier_restart_never_touch_a_later_one() -> None:
    job = make_job(items=SIZE, done=6, failed=3)
    restart(job)
    [first] = BulkAct.objects.all()
    operations.cancel(job, actor=operator("cancel"), reason="why")
    restart(job, only="failed")
    assert bulk.run_bulk_act(first, seconds=0)
    assert (phase_of(job).done, phase_of(job).failed) == (6, 0)


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("after", [True, False])
def test_a_portion_is_moved_exactly_once_whenever_the_process_dies(
    monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    job = make_job(items=SIZE, done=SIZE)
    restart(job)
    step()
    real = portions.move_next

    def die(*args: Any) -> Any:
        if after:
            real(*args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(portions, "move_next", die)
        with pytest.raises(Killed):
            bulk.run_bulk_act(BulkAct.objects.get(), seconds=0)
    assert phase_of(job).done == 7
    finish()
    assert (BulkAct.objects.get().changed, phase_of(job).pending_items) == (SIZE, SIZE)


def test_a_defect_in_a_portion_ends_the_act_and_opens_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(items=SIZE, done=SIZE)
    restart(job)
    monkeypatch.setattr(portions, "_move", lambda *args: 1 // 0)
    assert not step()
    assert details(BulkAct.objects.get()) == {bulk.runner.DEFECT}
    assert phase_of(job).moving == ""


# --- retry and release --------------------------------------------------------------------------------


def test_a_large_retry_leaves_its_phase_open_but_unevaluated_until_the_last_portion() -> None:
    job = make_job(items=SIZE, failed=SIZE, on_shortfall="fail")
    assert operations.retry(job, actor=operator("retry")).changed == SIZE
    assert len(outward(job, "item.retry_requested")) == 1
    failures = len(outward(job, "items.failed"))
    while step():
        for item in take(phase_of(job)):
            tell(phase_of(job), item.key, "failed")
        assert phase_of(job).status == "processing"
    assert (phase_of(job).failed, phase_of(job).status) == (SIZE, "failed")
    assert len(outward(job, "items.failed")) == failures + 1


def test_a_large_retry_by_signature_moves_only_its_group() -> None:
    job = make_job(items=SIZE)
    results = [
        tracking.Result(f"k{n}", "failed", error="Timeout after 3 s" if n < 6 else "No disk") for n in range(SIZE)
    ]
    tracking.report(phase_of(job), worker="w1", results=results, by=tracking.Actor(name="w1"))
    act = operations.retry(job, error_signature="Timeout after # s", actor=operator("retry"))
    assert act.changed == 6
    finish()
    assert (phase_of(job).failed, phase_of(job).pending_items) == (3, 6)


@pytest.mark.parametrize(("every", "left"), [(True, 0), (False, 2)])
def test_a_large_release_frees_each_item_once(every: bool, left: int) -> None:
    job = make_job(items=SIZE)
    tracking.report(
        phase_of(job),
        worker="w1",
        results=[tracking.Result(f"k{n}", "processing") for n in range(7)],
        leased=False,
        by=tracking.Actor(name="w1"),
    )
    live = take(phase_of(job), 2)
    act = operations.release(job, all=every, actor=operator("release"))
    assert act.changed == 9 - left
    finish()
    assert phase_of(job).processing == left
    assert set(Item.objects.filter(pk__in=[item.id for item in live]).values_list("status", flat=True)) == {
        "pending" if every else "processing"
    }


def test_an_act_that_moves_items_is_not_pruned() -> None:
    restart(make_job(items=SIZE, done=SIZE))
    later = timezone.now() + timedelta(days=91)
    assert watchdog.prune(now=later).bulk_acts == 0
    finish()
    assert watchdog.prune(now=later).bulk_acts == 1


# --- cost ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["failed", "completed", "processing"])
def test_the_next_items_come_from_the_index_of_their_status(status: str) -> None:
    """The primary key would lead through all items of other statuses and of older phases."""
    job = make_job(items=SIZE, done=SIZE)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    plan = Item.objects.in_status_after(phase_of(job).pk, status, 3).values_list("pk")[:2].explain()
    assert "item_phase_status" in plan
    assert "TEMP B-TREE" not in plan


def test_a_portion_costs_the_same_statements_whatever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(items=40, done=40)
    restart(job)
    [act] = BulkAct.objects.all()
    costs = []
    for _ in range(4):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            bulk.run_bulk_act(act, seconds=0)
        costs.append(len(asked))
    assert len(set(costs)) == 1
    assert Event.objects.filter(job=job, type="restart.moved").count() == 0
