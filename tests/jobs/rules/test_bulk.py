"""Bulk acts: each job is done once, with permission and in the confirmed state; the other jobs go on."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs import operations
from jobs.models import BulkAct, Item, Job, Membership
from jobs.operations import bulk
from jobs.operations.bulk import runner
from jobs.rules.errors import NotPermitted
from tests.factories import complete, item_of, job_in, make_job, operator, phase_of, take
from tests.jobs.bulk_acts import begun, details, outcomes

pytestmark = pytest.mark.django_db


# --- doing -------------------------------------------------------------------------------------------


def test_every_job_is_done_with_who_and_why_in_timeline_and_log() -> None:
    olga, jobs = operator("retry"), [make_job(items=3, failed=2) for _ in range(3)]
    act = begun("retry", jobs, actor=olga, reason="the disk is back")
    assert bulk.run_bulk_act(act, seconds=60)
    assert (act.status, act.done, act.changed, act.refused, act.left) == ("finished", 3, 6, 0, 0)
    assert act.finished_at
    assert all(phase_of(job).failed == 0 for job in jobs)
    for job in jobs:
        event = job.events.get(type="operator.retry")
        assert (event.account, event.reason) == (olga, "the disk is back")
    assert LogEntry.objects.filter(user=olga, change_message__endswith="Reason: the disk is back").count() == 3


def test_a_refused_job_does_not_hold_up_the_others_and_says_why() -> None:
    over, runs, paused = make_job(name="over", items=1, done=1), make_job(name="runs", items=1), job_in("paused")
    act = begun("pause", [over, paused, runs], actor=operator("pause"))
    assert bulk.run_bulk_act(act, seconds=60)
    assert outcomes(act) == {"over": "refused", "runs": "changed", paused.name: "unchanged"}
    assert details(act) == {"The job is completed; pause is possible while it is pending or processing."}
    assert (act.done, act.unchanged, act.refused) == (1, 1, 1)
    runs = act.targets.get(name="runs")
    assert (runs.was, runs.became, runs.changed) == ("pending", "paused", 1)


def test_only_the_chosen_items_of_each_job_are_touched_and_the_others_named() -> None:
    a, b = (make_job(items=4, done=1, failed=2) for _ in range(2))
    items = {a.pk: [item_of(a, "k0").pk, item_of(a, "k1").pk], b.pk: [item_of(b, "k2").pk]}
    act = begun("retry", [a, b], actor=operator("retry"), items=items)
    bulk.run_bulk_act(act, seconds=60)
    assert [phase_of(job).failed for job in (a, b)] == [1, 1]
    assert act.targets.get(job_id=a.pk).refusals == {"is completed; it cannot be retried.": 1}


def test_one_error_is_retried_in_all_jobs_and_nothing_else() -> None:
    jobs = [make_job(items=3, failed=2) for _ in range(2)]
    Item.objects.filter(key="k0").update(error="timeout 7", signature="timeout #")
    act = begun("retry", jobs, actor=operator("retry"), signature="timeout 9")
    bulk.run_bulk_act(act, seconds=60)
    assert act.changed == 2
    assert not Item.objects.filter(key="k0", status="failed").exists()
    assert Item.objects.filter(key="k1", status="failed").count() == 2


def test_holders_are_one_reason_whoever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = make_job(items=4, failed=1), make_job(items=1)
    for n in range(3):
        take(phase_of(job), 1, worker=f"w-{n} until by 3")
    chosen = {job.pk: list(Item.objects.filter(phase__job=job).values_list("pk", flat=True))}
    act = begun("retry", [job, other], actor=operator("retry"), items=chosen)
    bulk.run_bulk_act(act, seconds=60)
    assert act.targets.get(job_id=job.pk).refusals == {"is processing under a lease; it cannot be retried.": 3}


def test_reasons_are_bounded_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MOST_REASONS", 1)
    job, other = make_job(items=3, done=1, failed=1), make_job(items=1)
    chosen = {job.pk: list(Item.objects.filter(phase__job=job).values_list("pk", flat=True))}
    act = begun("retry", [job, other], actor=operator("retry"), items=chosen)
    bulk.run_bulk_act(act, seconds=60)
    assert sum(act.targets.get(job_id=job.pk).refusals.values()) == 2
    assert runner.OTHER_REASONS in act.targets.get(job_id=job.pk).refusals


def test_a_threshold_is_set_in_every_job_that_has_the_phase() -> None:
    a, b = make_job(items=4, done=2), make_job(items=4, done=3)
    act = begun("threshold", [a, b], actor=operator("set_threshold"), phase="items", threshold=60)
    bulk.run_bulk_act(act, seconds=60)
    assert [phase_of(job).threshold for job in (a, b)] == [60, 60]
    missing = begun("threshold", [a, b], actor=operator("set_threshold"), phase="nowhere", threshold=60)
    bulk.run_bulk_act(missing, seconds=60)
    assert missing.refused == 2


# --- changed since ------------------------------------------------------------------------------------


def test_a_job_in_another_state_than_it_was_seen_in_is_refused_and_the_others_are_done() -> None:
    a, b = make_job(name="a", items=2), make_job(name="b", items=2)
    act = begun("cancel", [a, b], actor=operator("cancel"))
    operations.pause(b, actor=None)
    bulk.run_bulk_act(act, seconds=60)
    assert outcomes(act) == {"a": "changed", "b": "refused"}
    assert details(act) == {"It has changed since you looked."}
    assert Job.objects.get(name="b").status == "paused"


def test_a_job_that_only_goes_on_working_is_done() -> None:
    a, b = make_job(name="a", items=9, done=1), make_job(name="b", items=9, done=1)
    act = begun("cancel", [a, b], actor=operator("cancel"))
    complete(phase_of(b), 1, start=1)
    bulk.run_bulk_act(act, seconds=60)
    assert outcomes(act) == {"a": "changed", "b": "changed"}


def test_a_job_that_is_gone_is_refused() -> None:
    a, b = make_job(name="a", items=2), make_job(name="b", items=2)
    act = begun("pause", [a, b], actor=operator("pause"))
    b.delete()
    bulk.run_bulk_act(act, seconds=60)
    assert (outcomes(act), details(act)) == ({"a": "changed", "b": "refused"}, {"There is no such job any more."})


# --- permission ---------------------------------------------------------------------------------------


def test_nobody_begins_what_he_may_not_do() -> None:
    with pytest.raises(NotPermitted):
        begun("cancel", [make_job(items=1)], actor=operator("pause"))
    assert not BulkAct.objects.exists()


def _loses_the_permission(account: Any) -> None:
    account.user_permissions.clear()


def _is_switched_off(account: Any) -> None:
    account.is_active = False
    account.save()


def _is_switched_off_as_superuser(account: Any) -> None:
    account.is_superuser, account.is_active = True, False
    account.save()


def _is_limited_to_another_project(account: Any) -> None:
    Membership.objects.create(user=account, project="other")


def _is_deleted(account: Any) -> None:
    account.delete()


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (_loses_the_permission, "needs the permission jobs.pause_job"),
        (_is_switched_off, "is switched off"),
        (_is_switched_off_as_superuser, "is switched off"),
        (_is_limited_to_another_project, "There is no job"),
        (_is_deleted, "is switched off"),
    ],
)
def test_what_an_account_may_no_longer_do_is_refused_from_then_on(event: Any, why: str) -> None:
    olga, jobs = operator("pause"), [make_job(items=1, project="mine") for _ in range(3)]
    act = begun("pause", jobs, actor=olga)
    bulk.run_bulk_act(act, seconds=0)
    event(olga)
    act.refresh_from_db()
    assert bulk.run_bulk_act(act, seconds=60)
    assert (act.done, act.refused) == (1, 2)
    assert all(why in detail for detail in details(act))
    assert Job.objects.filter(status="paused").count() == 1
