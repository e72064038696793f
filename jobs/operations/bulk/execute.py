"""Execution of a confirmed act on one job, only if the job is still in the state that the operator saw."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from django.db import transaction

from jobs.models import Job
from jobs.operations.arguments import Scope
from jobs.operations.base import Act, Operation
from jobs.operations.snapshot import JobSnapshot, snapshot_of
from jobs.rules.errors import Conflict, NotFound

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class StateChanged(Conflict):
    """The job is no longer in the state that the operator saw."""

    def __init__(self) -> None:
        super().__init__("It has changed since you looked.", code="changed")


@dataclass(frozen=True, slots=True)
class ExpectedState:
    """The state of a job as it was shown: a digest of its statuses, and its revision where any change is refused."""

    states: str
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class ActRequest:
    """An act, the part of the job that it is about, and the reason."""

    act: Operation
    scope: Scope
    reason: str


def expected_state(snapshot: JobSnapshot) -> ExpectedState:
    """Return the state of a job as a page shows it."""
    job = snapshot.job
    states = [
        job.status,
        job.held,
        *(f"{p.code} {p.run} {p.status} {p.threshold} {p.expected}" for p in snapshot.phases),
    ]
    return ExpectedState(blake2b("\n".join(states).encode(), digest_size=8).hexdigest(), job.revision)


def execute(request: ActRequest, job_id: int, *, expected: ExpectedState, actor: User) -> Act:
    """Run the act if the job is still in the expected state; otherwise raise StateChanged."""
    with transaction.atomic():
        job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
        if job is None:
            raise NotFound("The job no longer exists.")
        current = expected_state(snapshot_of(job))
        if current.states != expected.states or expected.revision not in (None, current.revision):
            raise StateChanged
        act = request.act
        return act(job, actor=actor, reason=request.reason, **act.arguments_of(request.scope))
