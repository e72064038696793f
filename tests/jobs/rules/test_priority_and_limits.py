"""Priority of jobs in the common claim, and limits of leased items of phases and projects."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from jobs import operations, tracking
from jobs.models import Job, ProjectLimit
from jobs.operations.diagnosis import diagnose
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import BadInput, NotPermitted, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, Claimed
from tests.factories import WORKER, complete, make_job, new_items, operator, phase_of, pipeline, take, types

pytestmark = pytest.mark.django_db


def claim_any(number: int = 100, *, worker: str = "w1") -> Claimed:
    return tracking.claim_any(worker=worker, phase="items", limit=number, by=Actor(name=worker))


def jobs_of(claimed: Claimed) -> list[int]:
    """Return the job of each item, in the order of the answer."""
    return [item.job for item in claimed.items]


def limited(most: int | None, **fields: Any) -> Job:
    """Make a job whose only phase may have that many leased items."""
    return make_job(phases=[PhaseSpec(code="items", max_leased=most)], **fields)


# --- priority ----------------------------------------------------------------------------------------


def test_the_common_claim_takes_the_highest_priority_first_then_the_oldest() -> None:
    low, first, second, high = (make_job(items=2, priority=number) for number in (-100, 0, 0, 100))
    assert jobs_of(claim_any(3)) == [high.pk, high.pk, first.pk]
    assert jobs_of(claim_any(4)) == [first.pk, second.pk, second.pk, low.pk]


def test_the_items_of_one_answer_are_in_the_order_of_priority() -> None:
    old, new = make_job(items=2), make_job(items=2, priority=1)
    assert jobs_of(claim_any()) == [new.pk, new.pk, old.pk, old.pk]


def test_an_operator_changes_the_priority_and_the_next_claim_knows_it() -> None:
    old, new = make_job(items=1), make_job(items=1)
    act = operations.set_priority(new, priority=5, actor=operator("set_priority"), reason="urgent")
    assert (act.changed, act.detail, types(new)[-1]) == (1, "The priority is 5 (was 0).", "operator.set_priority")
    assert operations.set_priority(new, priority=5, actor=None).changed == 0
    assert jobs_of(claim_any(1)) == [new.pk]
    assert jobs_of(claim_any(1)) == [old.pk]


def test_a_phase_that_is_added_later_has_the_priority_of_its_job() -> None:
    job = make_job(items=1, priority=9)
    with tracking.create.change_jobs([job.pk], by=WORKER) as change:
        tracking.create.add_phases(change, [PhaseSpec(code="later")])
    assert phase_of(job, "later").priority == 9


@pytest.mark.parametrize("priority", [-101, 101, 1.5, "1", None, 2**70])
def test_a_priority_outside_its_bounds_is_bad_input(priority: Any) -> None:
    with pytest.raises(BadInput) as refused:
        operations.set_priority(make_job(), priority=priority, actor=None)
    assert list(refused.value.errors) == ["priority"]


def test_the_priority_needs_its_permission_and_an_unfinished_job() -> None:
    with pytest.raises(NotPermitted, match="set_priority_job"):
        operations.set_priority(make_job(), priority=1, actor=operator("retry"))
    with pytest.raises(WrongState):
        operations.set_priority(make_job(items=1, done=1), priority=1, actor=None)


# --- the limit of a phase ----------------------------------------------------------------------------


def test_a_phase_leases_at_most_its_limit_and_the_claim_says_so() -> None:
    job = limited(3, items=5)
    assert len(take(phase_of(job))) == 3
    claimed = tracking.claim(phase_of(job), worker="w2", by=WORKER)
    assert (claimed.items, claimed.reason, claimed.limit_of) == ([], "limit", "phase")
    assert claimed.detail == f"Phase items of job {job.name} has 3 of at most 3 items leased."
    complete(phase_of(job), 1)
    assert len(take(phase_of(job))) == 1


def test_a_phase_without_pending_items_says_so_also_at_its_limit() -> None:
    job = limited(2, items=2)
    take(phase_of(job))
    assert tracking.claim(phase_of(job), worker="w2", by=WORKER).reason == "none_pending"


def test_the_common_claim_passes_over_a_phase_at_its_limit() -> None:
    full, free = limited(1, items=5, priority=1), make_job(items=2)
    assert jobs_of(claim_any(4)) == [full.pk]
    assert jobs_of(claim_any(4)) == [free.pk, free.pk]
    claimed = claim_any()
    assert (claimed.reason, claimed.limit_of) == ("limit", "phase")
    assert full.name in claimed.detail


def test_an_operator_changes_a_limit_and_leases_above_it_stay() -> None:
    job = limited(None, items=5)
    take(phase_of(job), 4)
    act = operations.set_limit(job, phase="items", max_leased=2, actor=operator("set_limit"))
    assert act.detail == "The limit of items is 2 leased items (was none)."
    assert phase_of(job).processing == 4
    assert tracking.claim(phase_of(job), worker="w2", by=WORKER).reason == "limit"
    assert operations.set_limit(job, phase="items", max_leased=None, actor=None).changed == 1
    assert len(take(phase_of(job))) == 1


@pytest.mark.parametrize("most", [0, -1, 1_000_001, 1.5, "3", True])
def test_a_limit_outside_its_bounds_is_bad_input(most: Any) -> None:
    with pytest.raises(BadInput) as refused:
        operations.set_limit(make_job(), phase="items", max_leased=most, actor=None)
    assert list(refused.value.errors) == ["max_leased"]


def test_a_limit_is_named_even_if_it_is_null() -> None:
    with pytest.raises(BadInput):
        operations.set_limit(make_job(), phase="items", actor=None)


def test_a_phase_that_is_counted_without_items_has_no_limit() -> None:
    job = pipeline(PhaseSpec(code="fit"))
    tracking.count(phase_of(job), done=1, event_id="1b4e28ba-2fa1-11d2-883f-0016d3cca427", by=WORKER)
    with pytest.raises(WrongState, match="counted"):
        operations.set_limit(job, phase="fit", max_leased=1, actor=None)


# --- the limit of a project --------------------------------------------------------------------------


def test_a_project_leases_at_most_its_limit_over_all_its_jobs() -> None:
    one, two, other = (make_job(items=5, project=project) for project in ("a", "a", "b"))
    operations.set_project_limit("a", 6, actor=None)
    assert len(take(phase_of(one))) == 5
    assert len(take(phase_of(two))) == 1
    claimed = tracking.claim(phase_of(two), worker="w2", by=WORKER)
    assert (claimed.reason, claimed.limit_of) == ("limit", "project")
    assert claimed.detail == "Project a has 6 of at most 6 items leased."
    assert len(take(phase_of(other))) == 5
    complete(phase_of(one), 2)
    assert len(take(phase_of(two))) == 2


def test_the_common_claim_passes_over_a_project_at_its_limit() -> None:
    first, second, free = (make_job(items=2, project=project) for project in ("a", "a", ""))
    operations.set_project_limit("a", 3, actor=None)
    assert jobs_of(claim_any()) == [first.pk, first.pk, second.pk, free.pk, free.pk]
    claimed = claim_any()
    assert (claimed.reason, claimed.limit_of) == ("limit", "project")
    operations.set_project_limit("a", None, actor=None)
    assert jobs_of(claim_any()) == [second.pk]
    assert claim_any().reason == "none_pending"


def test_leases_of_a_finished_job_leave_room_for_the_others() -> None:
    over, running = (make_job(items=3, project="a") for _ in range(2))
    operations.set_project_limit("a", 3, actor=None)
    take(phase_of(over))
    operations.cancel(over, actor=None)
    assert len(take(phase_of(running))) == 3


def test_a_claim_never_takes_more_than_both_limits_allow() -> None:
    job = limited(2, items=5, project="a")
    operations.set_project_limit("a", 4, actor=None)
    other = make_job(items=5, project="a")
    assert len(take(phase_of(job))) == 2
    assert len(take(phase_of(other))) == 2


def lead(*projects: str) -> Any:
    account = operator(projects=projects)
    account.user_permissions.add(Permission.objects.get(codename="manage_limits"))
    return account


def test_a_lead_sets_changes_and_removes_the_limit_of_a_project_and_each_is_written_down() -> None:
    account = lead()
    answers = [operations.set_project_limit("a", most, actor=account, reason="why") for most in (5, 5, 7, None, None)]
    assert answers == [True, False, True, True, False]
    log = LogEntry.objects.filter(user=account).order_by("pk").values_list("change_message", flat=True)
    assert list(log) == [
        "Limit of project a: 5 leased items (was none). Reason: why",
        "Limit of project a: 7 leased items (was 5 leased items). Reason: why",
        "Limit of project a: none (was 7 leased items). Reason: why",
    ]
    assert not ProjectLimit.objects.exists()


def test_the_limit_of_a_project_needs_the_permission_and_the_project() -> None:
    with pytest.raises(NotPermitted, match="manage_limits"):
        operations.set_project_limit("a", 1, actor=operator("set_limit"))
    with pytest.raises(NotPermitted, match="no access"):
        operations.set_project_limit("b", 1, actor=lead("a"))
    with pytest.raises(BadInput):
        operations.set_project_limit("a", 0, actor=None)


# --- the diagnosis -----------------------------------------------------------------------------------


def limits_of(job: Job) -> list[str]:
    job.refresh_from_db()
    return [cause.detail for cause in diagnose(snapshot_of(job)).causes if cause.code == "limit"]


def test_the_diagnosis_says_which_limit_holds_back_claims() -> None:
    job = limited(2, items=5, project="a")
    assert limits_of(job) == []
    take(phase_of(job))
    assert limits_of(job) == ["Its limit is reached: 2 of at most 2 items leased."]
    operations.set_limit(job, phase="items", max_leased=None, actor=None)
    operations.set_project_limit("a", 2, actor=None)
    assert limits_of(job) == ["Project a may have at most 2 leased items in all jobs, which is reached."]
    tracking.add_items(phase_of(job), items=new_items(1, start=9), by=WORKER)
    complete(phase_of(job), 2)
    assert limits_of(job) == []
