"""Lists: the items of a phase, and the total from them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jobs import tracking
from jobs.models import Job
from jobs.rules.errors import BadInput, Conflict, NotPermitted, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, NewItem
from tests.factories import (
    WORKER,
    announce,
    complete,
    finished_job,
    listed,
    make_job,
    new_items,
    operator,
    phase_of,
    pipeline,
    take,
    types,
)

pytestmark = pytest.mark.django_db


# --- creating ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "number", "expected"), [(None, 3, 3), (10, 3, 10), (2, 3, 3), (0, 3, 3)])
def test_a_phase_created_with_items_expects_the_larger_of_the_given_and_their_number(
    given: int | None, number: int, expected: int
) -> None:
    job = make_job(items=number, expected=given)
    assert (phase_of(job).expected, phase_of(job).items_total) == (expected, number)


def test_an_empty_list_is_a_total_of_0_and_completes() -> None:
    job = make_job(items=0)
    assert (phase_of(job).expected, job.status, job.percent, job.partial) == (0, "completed", 100, False)


def test_without_items_and_total_the_list_stays_open() -> None:
    job = make_job()
    assert (phase_of(job).expected, job.status, job.percent) == (None, "pending", 0)


def test_an_open_list_completes_only_by_an_announcement() -> None:
    job = make_job()
    listed(job, 3)
    complete(phase_of(job), 3)
    assert phase_of(job).status == "processing"
    announce(job, 3)
    assert phase_of(job).status == "completed"


def test_finish_closes_an_open_list_with_the_number_of_its_items() -> None:
    job = make_job()
    listed(job, 3)
    complete(phase_of(job), 2)
    tracking.finish(phase_of(job), by=WORKER)
    assert (phase_of(job).expected, phase_of(job).status) == (3, "processing")
    complete(phase_of(job), 3)
    assert phase_of(job).status == "completed"


def test_finish_closes_an_open_list_that_stayed_empty() -> None:
    job = make_job()
    listed(job, 0)
    tracking.finish(phase_of(job), by=WORKER)
    assert (phase_of(job).expected, phase_of(job).status) == (0, "completed")


def test_a_job_of_this_name_is_found_again_and_gets_the_new_items() -> None:
    first = tracking.create_job(name="batch_001", items=new_items(3), by=WORKER)
    again = tracking.create_job(name="batch_001", items=new_items(5), metadata={"ignored": 1}, by=WORKER)
    assert (first.created, again.created, again.job.pk, again.job.metadata) == (True, False, first.job.pk, {})
    assert (phase_of(first.job).items_total, phase_of(first.job).expected) == (5, 5)


def test_a_name_in_use_by_another_kind_is_taken() -> None:
    tracking.create_job(name="batch_001", by=WORKER)
    with pytest.raises(Conflict) as refusal:
        tracking.create_job(name="batch_001", kind="vision", by=WORKER)
    assert refusal.value.code == "name_taken"


def test_a_name_out_of_sight_is_taken_and_tells_nothing_about_its_job() -> None:
    tracking.create_job(name="batch_001", project="secret-matter", kind="vision", by=WORKER)
    limited = Actor(account=operator(projects=["mine"]))
    with pytest.raises(Conflict) as refusal:
        tracking.create_job(name="batch_001", project="mine", by=limited)
    assert refusal.value.code == "name_taken"
    assert "secret" not in refusal.value.detail
    assert "vision" not in refusal.value.detail


def test_a_job_in_a_project_out_of_reach_is_not_permitted() -> None:
    limited = Actor(account=operator(projects=["mine"]))
    with pytest.raises(NotPermitted):
        tracking.create_job(name="batch_001", project="other", by=limited)
    with pytest.raises(NotPermitted):
        tracking.create_job(name="batch_001", by=limited)
    assert not Job.objects.exists()
    assert tracking.create_job(name="batch_001", project="mine", by=limited).created


def test_a_job_that_cannot_be_made_leaves_nothing_behind(broadcasts: list[int]) -> None:
    with pytest.raises(BadInput):
        pipeline(PhaseSpec("a"), PhaseSpec("a"))
    with pytest.raises(BadInput):
        pipeline(PhaseSpec("a", gated=True))
    assert not Job.objects.exists()
    assert broadcasts == []


# --- adding items ------------------------------------------------------------------------------------


def test_an_expected_that_came_from_a_list_grows_when_items_are_added() -> None:
    job = make_job(items=3)
    listed(job, 5)
    assert phase_of(job).expected == 5


def test_a_total_above_the_list_grows_only_when_the_list_outgrows_it() -> None:
    job = make_job(items=3, expected=6)
    assert [listed(job, number).expected for number in (5, 6, 8)] == [6, 6, 8]


def test_an_announced_total_grows_only_by_announcement() -> None:
    job = make_job(items=3)
    announce(job, 4)
    assert listed(job, 9).expected == 4
    announce(job, 9)
    assert phase_of(job).expected == 9


def test_reports_never_raise_the_total() -> None:
    job = make_job(expected=2)
    complete(phase_of(job), 5)
    assert phase_of(job).expected == 2


def test_adding_the_same_items_again_adds_nothing() -> None:
    job = make_job(items=3)
    added = tracking.add_items(phase_of(job), items=new_items(4), by=WORKER)
    again = tracking.add_items(phase_of(job), items=new_items(4), by=WORKER)
    assert [(a.added, a.existing) for a in (added, again)] == [(1, 3), (0, 4)]


def test_a_key_that_is_there_keeps_what_it_has() -> None:
    job = make_job()
    tracking.add_items(phase_of(job), items=[NewItem("a", "first", "train", {"n": 1})], by=WORKER)
    tracking.add_items(phase_of(job), items=[NewItem("a", "second", "valid", {"n": 2})], by=WORKER)
    item = phase_of(job).items.get()
    assert (item.label, item.split, item.payload) == ("first", "train", {"n": 1})


def test_items_are_claimed_in_the_order_in_which_they_were_listed() -> None:
    job = make_job()
    keys = [f"k{n}" for n in (5, 3, 9, 1)]
    tracking.add_items(phase_of(job), items=[NewItem(key) for key in keys], by=WORKER)
    assert [item.key for item in take(phase_of(job))] == keys


@pytest.mark.parametrize("state", ["completed", "failed", "forced", "cancelled"])
def test_new_items_for_a_finished_phase_are_refused(state: str) -> None:
    job = finished_job(state)
    with pytest.raises(WrongState, match=r"reopen|restart"):
        listed(job, 4)
    assert (phase_of(job).items_total, phase_of(job).run) == (2, 1)


@pytest.mark.parametrize("state", ["completed", "failed", "forced", "cancelled"])
def test_a_list_that_brings_nothing_new_is_always_fine(state: str) -> None:
    job = finished_job(state)
    before = (job.revision, job.status)
    assert listed(job, 2).run == 1
    job.refresh_from_db()
    assert (job.revision, job.status) == before


# --- a list that comes after the job -----------------------------------------------------------------


def asked_for_by_name(*, items: int | None = None, name: str = "", **fields: Any) -> Job:
    """Create or find the job of this name, as a producer or a worker does."""
    listed = None if items is None else new_items(items)
    return tracking.create_job(name=name or "batch", items=listed, by=WORKER, **fields).job


def test_a_job_asked_for_by_name_before_its_list_completes_with_its_list() -> None:
    asked_for_by_name()
    job = asked_for_by_name(items=3)
    phase = phase_of(job)
    assert (phase.expected, phase.announced, phase.listed, phase.items_total) == (3, False, True, 3)
    complete(phase, 3)
    assert phase_of(job).job.status == "completed"
    assert types(job, outward=True) == ["items.completed", "job.completed"]


def test_a_late_list_grows_like_any_other() -> None:
    job = asked_for_by_name()
    asked_for_by_name(items=3)
    asked_for_by_name(items=5)
    assert (phase_of(job).expected, phase_of(job).items_total) == (5, 5)
    assert listed(job, 6).expected == 6


def test_a_late_list_counts_what_was_reported_before_it() -> None:
    job = asked_for_by_name()
    complete(phase_of(job), 2, start=10)
    asked_for_by_name(items=3)
    assert (phase_of(job).expected, phase_of(job).status) == (5, "processing")


def test_a_late_list_leaves_an_announced_total_alone() -> None:
    job = asked_for_by_name()
    announce(job, 10)
    asked_for_by_name(items=3)
    assert (phase_of(job).expected, phase_of(job).announced, phase_of(job).listed) == (10, True, True)


def test_an_empty_late_list_says_that_there_is_nothing_to_do() -> None:
    asked_for_by_name()
    job = asked_for_by_name(items=0)
    assert (phase_of(job).expected, phase_of(job).status) == (0, "completed")


@pytest.mark.parametrize("verb", ["start", "count"])
def test_an_empty_late_list_says_nothing_about_a_phase_that_works_without_items(verb: str) -> None:
    job = asked_for_by_name()
    if verb == "start":
        tracking.start(phase_of(job), by=WORKER)
    else:
        tracking.count(phase_of(job), done=1, event_id=uuid4(), by=WORKER)
    asked_for_by_name(items=0)
    assert (phase_of(job).expected, phase_of(job).status, phase_of(job).listed) == (None, "processing", False)


def test_a_name_alone_leaves_an_open_list_open() -> None:
    job = asked_for_by_name()
    listed(job, 3)
    asked_for_by_name()
    assert (phase_of(job).expected, phase_of(job).listed) == (None, True)
