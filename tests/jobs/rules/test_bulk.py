"""One act upon many jobs: each is done once, by who may, as it was seen; and the others go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import bulk, operations, watchdog
from jobs.bulk import Mark, Order, going_on
from jobs.errors import NotPermitted, WrongState
from jobs.models import BulkAct, BulkTarget, Item, Job, Membership
from jobs.previews import ACTS, Scope, forecasts, many_figures
from tests.factories import complete, item_of, job_in, make_job, operator, phase_of, take, types

pytestmark = pytest.mark.django_db


def begun(
    slug: str, jobs: Sequence[Job], *, actor: Any, reason: str = "why", items: Any = None, **scope: Any
) -> BulkAct:
    """A bulk act on these jobs as they are now."""
    order = Order(ACTS[slug], Scope(**scope), reason)
    marks = [
        Mark(figures.job, bulk.seen_of(figures).states, tuple((items or {}).get(figures.job.pk, ())))
        for figures in many_figures(jobs)
    ]
    return bulk.begin(order, marks, actor=actor, words="all of them")


def outcomes(act: BulkAct) -> dict[str, str]:
    """What became of each job."""
    return dict(act.targets.values_list("name", "outcome"))


def details(act: BulkAct) -> set[str]:
    """Why jobs were refused."""
    return set(act.targets.filter(outcome="refused").values_list("detail", flat=True))


# --- doing -------------------------------------------------------------------------------------------


def test_every_job_is_done_with_who_and_why_in_timeline_and_log() -> None:
    olga, jobs = operator("retry"), [make_job(items=3, failed=2) for _ in range(3)]
    act = begun("retry", jobs, actor=olga, reason="the disk is back")
    assert bulk.go_on(act, seconds=60)
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
    assert bulk.go_on(act, seconds=60)
    assert outcomes(act) == {"over": "refused", "runs": "changed", paused.name: "unchanged"}
    assert details(act) == {"The job is completed; pause is possible while it is pending or processing."}
    assert (act.done, act.unchanged, act.refused) == (1, 1, 1)
    runs = act.targets.get(name="runs")
    assert (runs.was, runs.became, runs.changed) == ("pending", "paused", 1)


def test_only_the_chosen_items_of_each_job_are_touched_and_the_others_named() -> None:
    a, b = (make_job(items=4, done=1, failed=2) for _ in range(2))
    items = {a.pk: [item_of(a, "k0").pk, item_of(a, "k1").pk], b.pk: [item_of(b, "k2").pk]}
    act = begun("retry", [a, b], actor=operator("retry"), items=items)
    bulk.go_on(act, seconds=60)
    assert [phase_of(job).failed for job in (a, b)] == [1, 1]
    assert act.targets.get(job_id=a.pk).refusals == {"is completed; it cannot be retried.": 1}


def test_one_error_is_retried_in_all_jobs_and_nothing_else() -> None:
    jobs = [make_job(items=3, failed=2) for _ in range(2)]
    Item.objects.filter(key="k0").update(error="timeout 7", signature="timeout #")
    act = begun("retry", jobs, actor=operator("retry"), signature="timeout 9")
    bulk.go_on(act, seconds=60)
    assert act.changed == 2
    assert not Item.objects.filter(key="k0", status="failed").exists()
    assert Item.objects.filter(key="k1", status="failed").count() == 2


def test_holders_are_one_reason_whoever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = make_job(items=4, failed=1), make_job(items=1)
    for n in range(3):
        take(phase_of(job), 1, worker=f"w-{n} until by 3")
    chosen = {job.pk: list(Item.objects.filter(phase__job=job).values_list("pk", flat=True))}
    act = begun("retry", [job, other], actor=operator("retry"), items=chosen)
    bulk.go_on(act, seconds=60)
    assert act.targets.get(job_id=job.pk).refusals == {"is processing under a lease; it cannot be retried.": 3}


def test_reasons_are_bounded_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_on, "MOST_REASONS", 1)
    job, other = make_job(items=3, done=1, failed=1), make_job(items=1)
    chosen = {job.pk: list(Item.objects.filter(phase__job=job).values_list("pk", flat=True))}
    act = begun("retry", [job, other], actor=operator("retry"), items=chosen)
    bulk.go_on(act, seconds=60)
    assert sum(act.targets.get(job_id=job.pk).refusals.values()) == 2
    assert going_on.OTHER_REASONS in act.targets.get(job_id=job.pk).refusals


def test_a_threshold_is_set_in_every_job_that_has_the_phase() -> None:
    a, b = make_job(items=4, done=2), make_job(items=4, done=3)
    act = begun("threshold", [a, b], actor=operator("set_threshold"), phase="items", threshold=60)
    bulk.go_on(act, seconds=60)
    assert [phase_of(job).threshold for job in (a, b)] == [60, 60]
    missing = begun("threshold", [a, b], actor=operator("set_threshold"), phase="nowhere", threshold=60)
    bulk.go_on(missing, seconds=60)
    assert missing.refused == 2


# --- changed since ------------------------------------------------------------------------------------


def test_a_job_in_another_state_than_it_was_seen_in_is_refused_and_the_others_are_done() -> None:
    a, b = make_job(name="a", items=2), make_job(name="b", items=2)
    act = begun("cancel", [a, b], actor=operator("cancel"))
    operations.pause(b, actor=None)
    bulk.go_on(act, seconds=60)
    assert outcomes(act) == {"a": "changed", "b": "refused"}
    assert details(act) == {"It has changed since you looked."}
    assert Job.objects.get(name="b").status == "paused"


def test_a_job_that_only_goes_on_working_is_done() -> None:
    a, b = make_job(name="a", items=9, done=1), make_job(name="b", items=9, done=1)
    act = begun("cancel", [a, b], actor=operator("cancel"))
    complete(phase_of(b), 1, start=1)
    bulk.go_on(act, seconds=60)
    assert outcomes(act) == {"a": "changed", "b": "changed"}


def test_a_job_that_is_gone_is_refused() -> None:
    a, b = make_job(name="a", items=2), make_job(name="b", items=2)
    act = begun("pause", [a, b], actor=operator("pause"))
    b.delete()
    bulk.go_on(act, seconds=60)
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
    bulk.go_on(act, seconds=0)
    event(olga)
    act.refresh_from_db()
    assert bulk.go_on(act, seconds=60)
    assert (act.done, act.refused) == (1, 2)
    assert all(why in detail for detail in details(act))
    assert Job.objects.filter(status="paused").count() == 1


# --- in portions, through restarts --------------------------------------------------------------------


def test_what_takes_longer_goes_on_with_the_watchdog_where_it_stood() -> None:
    jobs = [make_job(items=1) for _ in range(3)]
    act = begun("pause", jobs, actor=operator("pause"))
    assert not bulk.go_on(act, seconds=0)
    assert (act.status, act.done, act.left) == ("running", 1, 2)
    assert bulk.work(seconds=0)
    assert not bulk.work(seconds=0)
    act.refresh_from_db()
    assert (act.status, act.done) == ("finished", 3)
    assert all(types(job).count("operator.pause") == 1 for job in jobs)


def test_older_acts_are_done_before_newer_ones() -> None:
    acts = [begun("pause", [make_job(items=1), make_job(items=1)], actor=operator("pause")) for _ in range(2)]
    assert bulk.work(seconds=60)
    assert [BulkAct.objects.get(pk=act.pk).status for act in acts] == ["finished", "running"]
    assert not bulk.work(seconds=60)
    assert not bulk.work(seconds=60)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["_write", "_result"])
@pytest.mark.parametrize("after", [True, False])
def test_a_job_is_done_exactly_once_whenever_the_process_dies(
    monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    jobs = [make_job(items=2, failed=1) for _ in range(3)]
    act = begun("retry", jobs, actor=operator("retry"))
    real, calls = getattr(going_on, step), []

    def die(*args: Any) -> Any:
        calls.append(args)
        answer = real(*args) if after or len(calls) != 2 else None
        if len(calls) == 2:
            raise Killed
        return answer

    monkeypatch.setattr(going_on, step, die)
    with pytest.raises(Killed):
        bulk.go_on(act, seconds=60)
    act.refresh_from_db()
    assert (act.done, BulkTarget.objects.open().count()) == (1, 2)
    assert [types(job).count("operator.retry") for job in jobs] == [1, 0, 0]
    assert bulk.go_on(act, seconds=60)
    assert (act.done, act.changed) == (3, 3)
    assert all(types(job).count("operator.retry") == 1 for job in jobs)


def test_a_database_that_fails_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    act = begun("pause", [make_job(items=1), make_job(items=1)], actor=operator("pause"))

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(going_on, "do", locked)
        with pytest.raises(OperationalError):
            bulk.go_on(act, seconds=60)
    assert bulk.go_on(act, seconds=60)
    assert act.done == 2


def test_a_defect_refuses_its_job_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = make_job(name="a", items=1), make_job(name="b", items=1)
    act, real = begun("pause", [a, b], actor=operator("pause")), going_on.do

    def broken(order: Any, job_id: int, **kwargs: Any) -> Any:
        answer = real(order, job_id, **kwargs)
        return answer if job_id != a.pk else 1 // 0

    monkeypatch.setattr(going_on, "do", broken)
    assert bulk.go_on(act, seconds=60)
    assert outcomes(act) == {"a": "refused", "b": "changed"}


# --- stopping -----------------------------------------------------------------------------------------


def test_a_stopped_act_leaves_the_rest_as_it_is() -> None:
    olga, jobs = operator("pause"), [make_job(items=1) for _ in range(3)]
    act = begun("pause", jobs, actor=olga)
    bulk.go_on(act, seconds=0)
    bulk.stop(act, actor=olga)
    assert not bulk.work(seconds=60)
    bulk.go_on(act, seconds=60)
    assert (act.status, act.done, act.left, act.ended_by) == ("stopped", 1, 2, olga.username)
    assert Job.objects.filter(status="paused").count() == 1
    assert LogEntry.objects.filter(user=olga, change_message="stop: 1 of 3 jobs were done.").exists()


def test_what_was_stopped_in_the_middle_of_a_job_takes_the_job_back(monkeypatch: pytest.MonkeyPatch) -> None:
    olga, jobs = operator("pause"), [make_job(items=1) for _ in range(2)]
    act, real = begun("pause", jobs, actor=olga), going_on.do

    def stopped(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        BulkAct.objects.update(status="stopped")
        return answer

    monkeypatch.setattr(going_on, "do", stopped)
    bulk.go_on(act, seconds=60)
    assert not Job.objects.filter(status="paused").exists()
    assert BulkTarget.objects.open().count() == 2


def test_stopping_needs_the_permission_of_the_act_and_something_that_runs() -> None:
    act = begun("cancel", [make_job(items=1)], actor=operator("cancel"))
    with pytest.raises(NotPermitted):
        bulk.stop(act, actor=operator("pause"))
    bulk.go_on(act, seconds=60)
    with pytest.raises(WrongState):
        bulk.stop(act, actor=operator("cancel"))


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
            bulk.go_on(act, seconds=0)
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
            assert len(forecasts(ACTS[slug], jobs, olga, Scope(), items)) == 12


def test_old_bulk_acts_are_pruned_with_their_jobs() -> None:
    act = begun("pause", [make_job(items=1)], actor=operator("pause"))
    assert watchdog.prune(now=timezone.now() + timedelta(days=89))["bulk_acts"] == 0
    later = timezone.now() + timedelta(days=91)
    assert watchdog.prune(dry_run=True, now=later)["bulk_acts"] == 1
    assert watchdog.prune(now=later)["bulk_acts"] == 1
    assert not BulkTarget.objects.filter(bulk_id=act.pk).exists()


# --- the forecast says what is done --------------------------------------------------------------------

VARIETY: list[tuple[str, dict[str, Any]]] = [
    ("retry", {}),
    ("retry", {"signature": "error"}),
    ("retry", {"phase": "items"}),
    ("retry", {"phase": "nowhere"}),
    ("release", {}),
    ("release", {"all": True}),
    ("skip", {}),
    ("pause", {}),
    ("resume", {}),
    ("threshold", {"phase": "items", "threshold": 7}),
    ("restart", {"phase": "items"}),
    ("restart", {"phase": "items", "only": "failed"}),
    ("force-complete", {}),
    ("fail", {}),
    ("cancel", {}),
]


def variety() -> list[Job]:
    """A job in every state, with failures and leases."""
    jobs = [job_in(status) for status in ("pending", "processing", "paused", "completed", "failed", "cancelled")]
    held = make_job(items=6, done=1, failed=2)
    take(phase_of(held), 2)
    Item.objects.filter(pk__in=Item.objects.held().order_by("pk").values("pk")[:1]).update(
        lease_expires_at=timezone.now() - timedelta(seconds=5)
    )
    return [*jobs, held]


@pytest.mark.parametrize("with_items", [True, False], ids=["items", "whole"])
@pytest.mark.parametrize(("slug", "scope"), VARIETY, ids=[f"{slug}-{n}" for n, (slug, _) in enumerate(VARIETY)])
def test_what_is_forecast_is_what_is_done(slug: str, scope: dict[str, Any], with_items: bool) -> None:
    olga, jobs = operator(ACTS[slug].verb), variety()
    jobs = list(Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk"))
    items = None
    if with_items and slug in ("retry", "release", "skip"):
        items = {job.pk: tuple(Item.objects.filter(phase__job=job).values_list("pk", flat=True)) for job in jobs}
    found = forecasts(ACTS[slug], jobs, olga, Scope(**scope), items)
    act = begun(slug, jobs, actor=olga, items=items, **scope)
    bulk.go_on(act, seconds=60)
    done = dict(act.targets.values_list("job_id", "changed"))
    assert {each.job.pk: each.changes for each in found} == done
    assert all(each.why_not for each in found if not done[each.job.pk])
