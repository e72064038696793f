"""Operator acts: each is one transaction with its own permission, reason and audit record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs import operations
from jobs.models import Item, Job
from jobs.operations import Act
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from tests.factories import job_in, operator, phase_of, tell, types, working_job
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db

EXTRA: dict[str, dict[str, Any]] = {
    "set_threshold": {"phase": "items", "threshold": 50},
    "restart": {"phase": "items"},
}
VERBS = ["retry", "release", "skip", "force_complete", "fail", "cancel", "pause", "resume", "set_threshold", "restart"]


def act(verb: str, job: Job, **fields: Any) -> Act:
    fields = {"actor": None, "reason": "because", **EXTRA.get(verb, {}), **fields}
    if verb == "skip":
        fields["items"] = Item.objects.filter(phase__job=job.pk).order_by("-pk").values_list("pk", flat=True)[:1]
    if verb == "release":
        fields.setdefault("all", True)
    result: Act = getattr(operations, verb)(job, **fields)
    return result


def ready_for(verb: str) -> Job:
    job = working_job()
    if verb == "resume":
        operations.pause(job, actor=None)
    return job


def state(job: Job) -> tuple[Any, ...]:
    rows = Item.objects.filter(phase__job=job).order_by("pk").values_list("status", "attempt", "tries", "error")
    job.refresh_from_db()
    return job.status, job.held, job.revision, phase_of(job).counts, list(rows), types(job)


# --- permission, reason, trace -----------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_each_act_needs_its_own_permission(verb: str) -> None:
    job = ready_for(verb)
    before = state(job)
    others = [other for other in VERBS if other != verb]
    with pytest.raises(NotPermitted, match=f"jobs.{verb}_job"):
        act(verb, job, actor=operator(*others))
    assert state(job) == before
    assert act(verb, job, actor=operator(verb)).changed > 0


@pytest.mark.parametrize("verb", VERBS)
def test_each_act_records_who_when_and_why(verb: str, clock: Clock) -> None:
    job, actor = ready_for(verb), operator(verb)
    at = clock.forward(10)
    act(verb, job, actor=actor, reason="the disk was full")
    row = job.events.filter(type=f"operator.{verb}").get()
    assert (row.account, row.actor, row.reason, row.at, row.outward) == (
        actor, actor.username, "the disk was full", at, False,
    )  # fmt: skip
    assert row.detail
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id) == (actor.pk, str(job.pk))
    assert "the disk was full" in entry.change_message


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_of_the_system_needs_no_permission(verb: str) -> None:
    job = ready_for(verb)
    assert act(verb, job).changed > 0
    assert job.events.get(type=f"operator.{verb}").actor == "system"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_upon_a_job_that_has_changed_since_is_refused(verb: str) -> None:
    job = ready_for(verb)
    seen = job.phases.get().job.revision
    tell(phase_of(job), "k4", "completed")
    with pytest.raises(Conflict) as refusal:
        act(verb, job, revision=seen)
    assert refusal.value.code == "changed"
    assert act(verb, ready_for(verb), revision=None).changed > 0


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_upon_a_job_out_of_sight_finds_nothing(verb: str) -> None:
    job = ready_for(verb)
    with pytest.raises(NotFound):
        act(verb, job, actor=operator(verb, projects=["other"]))


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_upon_a_job_that_is_gone_finds_nothing(verb: str) -> None:
    job = ready_for(verb)
    Job(pk=job.pk).delete()
    with pytest.raises(NotFound):
        act(verb, Job(pk=job.pk, name="gone"))


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_is_one_transaction(verb: str, monkeypatch: pytest.MonkeyPatch, broadcasts: list[int]) -> None:
    job, actor = ready_for(verb), operator(verb)
    before = state(job)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("jobs.change.transactions.commit_changes", fails)
        with pytest.raises(RuntimeError):
            act(verb, job, actor=actor)
    assert (state(job), LogEntry.objects.count(), broadcasts) == (before, 0, [])


@pytest.mark.parametrize("verb", VERBS)
def test_browsers_are_told_of_every_act(
    verb: str, broadcasts: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    job = ready_for(verb)
    with django_capture_on_commit_callbacks(execute=True):
        act(verb, job)
    assert broadcasts == [job.pk]


@pytest.mark.parametrize("reason", ["", "   "])
def test_force_complete_needs_a_reason(reason: str) -> None:
    job = working_job()
    with pytest.raises(BadInput) as refusal:
        operations.force_complete(job, actor=None, reason=reason)
    assert "reason" in refusal.value.errors


@pytest.mark.parametrize("verb", VERBS)
def test_a_reason_has_2000_characters_at_most(verb: str) -> None:
    with pytest.raises(BadInput):
        act(verb, ready_for(verb), reason="x" * 2001)
    assert act(verb, ready_for(verb), reason="x" * 2000, actor=operator(verb)).changed > 0


# --- wrong states and nothing to do ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("force_complete", "completed"),
        ("force_complete", "cancelled"),
        ("fail", "completed"),
        ("fail", "cancelled"),
        ("cancel", "completed"),
        ("pause", "completed"),
        ("pause", "failed"),
        ("pause", "cancelled"),
        ("resume", "completed"),
        ("resume", "failed"),
        ("resume", "cancelled"),
        ("retry", "cancelled"),
        ("skip", "cancelled"),
        ("set_threshold", "completed"),
        ("set_threshold", "cancelled"),
    ],
)
def test_in_the_wrong_state_an_act_is_refused_with_both_states(verb: str, status: str) -> None:
    job = job_in(status)
    before = state(job)
    with pytest.raises(WrongState) as refusal:
        act(verb, job)
    assert status in refusal.value.detail
    assert any(other in refusal.value.detail for other in ("pending", "paused", "processing"))
    assert state(job) == before


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("retry", "pending"),
        ("retry", "processing"),
        ("retry", "completed"),
        ("release", "pending"),
        ("release", "completed"),
        ("release", "failed"),
        ("release", "cancelled"),
        ("fail", "failed"),
        ("cancel", "cancelled"),
        ("pause", "paused"),
        ("resume", "pending"),
        ("resume", "processing"),
        ("skip", "completed"),
        ("restart", "pending"),
    ],
)
def test_with_nothing_to_do_an_act_answers_0_and_why_and_leaves_no_trace(verb: str, status: str) -> None:
    job = job_in(status)
    before = state(job)
    answer = act(verb, job, actor=operator(verb))
    assert (answer.changed, bool(answer.detail)) == (0, True)
    assert (state(job), LogEntry.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("verb", "statuses"),
    [
        ("force_complete", ["pending", "processing", "paused", "failed"]),
        ("cancel", ["pending", "processing", "paused", "failed"]),
        ("fail", ["pending", "processing", "paused"]),
        ("pause", ["pending", "processing"]),
        ("resume", ["paused"]),
        ("retry", ["failed"]),
        ("skip", ["pending", "processing", "paused", "failed"]),
        ("set_threshold", ["pending", "processing", "paused", "failed"]),
        ("restart", ["processing", "paused", "failed", "completed", "cancelled"]),
    ],
)
def test_in_a_right_state_an_act_is_done(verb: str, statuses: list[str]) -> None:
    for status in statuses:
        assert act(verb, job_in(status)).changed > 0, status
