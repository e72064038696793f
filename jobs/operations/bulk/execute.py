"""Doing what was confirmed to one job, and only that: nothing is done upon a job that has become another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from django.db import transaction

from jobs import operations
from jobs.models import Job
from jobs.operations import Act
from jobs.operations.previews import ActSpec, JobSnapshot, Scope, snapshot_of
from jobs.rules.errors import BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class StateChanged(Conflict):
    """The job is no longer what the operator saw."""

    def __init__(self) -> None:
        super().__init__("It has changed since you looked.", code="changed")


@dataclass(frozen=True, slots=True)
class ExpectedState:
    """What was shown of a job: a digest of its states, and its revision where every change since counts."""

    states: str
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class ActRequest:
    """An act with the part of the job that it is about, and why it is done."""

    act: ActSpec
    scope: Scope
    reason: str


def expected_state(figures: JobSnapshot) -> ExpectedState:
    """What a page shows of this job."""
    job = figures.job
    states = [
        job.status,
        job.held,
        *(f"{p.code} {p.run} {p.status} {p.threshold} {p.expected}" for p in figures.phases),
    ]
    return ExpectedState(blake2b("\n".join(states).encode(), digest_size=8).hexdigest(), job.revision)


def execute(order: ActRequest, job_id: int, *, seen: ExpectedState, actor: User) -> Act:
    """Do the act if the job still is what was seen; Changed where it is not. The verb asks for everything else."""
    with transaction.atomic():
        job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
        if job is None:
            raise NotFound("There is no such job any more.")
        current = expected_state(snapshot_of(job))
        if current.states != seen.states or seen.revision not in (None, current.revision):
            raise StateChanged
        return _DO[order.act.slug](job, order.scope, {"actor": actor, "reason": order.reason})


Who = dict[str, Any]


def _retry(job: Job, scope: Scope, who: Who) -> Act:
    return operations.retry(job, phase=scope.phase, items=scope.items or None, error_signature=scope.signature, **who)


def _release(job: Job, scope: Scope, who: Who) -> Act:
    return operations.release(job, phase=scope.phase, items=scope.items or None, all=scope.all, **who)


def _skip(job: Job, scope: Scope, who: Who) -> Act:
    if not scope.items:
        raise BadInput({"items": "Tick the items to skip in the list of the job."})
    return operations.skip(job, items=scope.items, **who)


def _force_complete(job: Job, scope: Scope, who: Who) -> Act:
    return operations.force_complete(job, phase=scope.phase, **who)


def _threshold(job: Job, scope: Scope, who: Who) -> Act:
    if scope.threshold is None:
        raise BadInput({"threshold": "Say how many percent."})
    return operations.set_threshold(job, phase=scope.phase, threshold=scope.threshold, **who)


def _restart(job: Job, scope: Scope, who: Who) -> Act:
    return operations.restart(job, phase=scope.phase, only=scope.only, **who)


def _plain(verb: Callable[..., Act]) -> Callable[[Job, Scope, Who], Act]:
    return lambda job, scope, who: verb(job, **who)


_DO: dict[str, Callable[[Job, Scope, Who], Act]] = {
    "retry": _retry,
    "release": _release,
    "skip": _skip,
    "force-complete": _force_complete,
    "threshold": _threshold,
    "restart": _restart,
    "pause": _plain(operations.pause),
    "resume": _plain(operations.resume),
    "fail": _plain(operations.fail),
    "cancel": _plain(operations.cancel),
}
