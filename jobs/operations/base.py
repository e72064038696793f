"""What every act of an operator has in common: permission, state, reason, audit, answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.change import Actor, Change, change_jobs
from jobs.models import Job, Phase
from jobs.models.jobs import projects_of
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    # An account; or a name to write down, with the account behind it if there is one; or the system.
    By = User | Actor | None

REASON_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that the act left alone, and why."""

    id: int
    detail: str


@dataclass(frozen=True, slots=True)
class Act:
    """The answer to an act: how much changed (items, phases or the job), what was refused, and a sentence."""

    changed: int
    job: Job
    detail: str = ""
    refused: list[Refusal] = field(default_factory=list)


def require_permission(actor: User | None, verb: str, *, permission: str = "") -> None:
    """Each act has a permission of its own, named after it unless given; the system (no actor) needs none."""
    permission = f"jobs.{permission or f'{verb}_job'}"
    if actor is not None and not actor.has_perm(permission):
        raise NotPermitted(f"{verb.replace('_', '-').capitalize()} needs the permission {permission}.")


@contextmanager
def acting(
    job: Job,
    verb: str,
    *,
    actor: By,
    reason: str,
    revision: int | None,
    reason_required: bool = False,
    permission: str = "",
) -> Iterator[Change]:
    """The change of one act. With a `revision` it is refused when the job has moved on since."""
    by = actor if isinstance(actor, Actor) else Actor(account=actor)
    require_permission(by.account, verb, permission=permission)
    _check_reason(reason, required=reason_required)
    projects = projects_of(by.account) if by.account else None
    if projects is not None and job.project not in projects:
        raise NotFound(f"There is no job {job.pk}.")
    with change_jobs([job.pk], by=by, reason=reason) as change:
        if revision is not None and change.job.revision != revision:
            raise Conflict(
                f"Job {job.name} has changed (revision {revision}, now {change.job.revision}); look again and confirm.",
                code="changed",
            )
        yield change


def _check_reason(reason: str, *, required: bool) -> None:
    if required and not reason.strip():
        raise BadInput({"reason": "Say why; the reason is kept in the timeline."})
    if len(reason) > REASON_LENGTH:
        raise BadInput({"reason": f"At most {REASON_LENGTH} characters."})


def require_status(change: Change, verb: str, *statuses: JobStatus) -> None:
    """Refuse unless the job is in one of these states; the sentence names both."""
    if change.job.status not in statuses:
        names = ", ".join(statuses[:-1]) + (" or " if len(statuses) > 1 else "") + statuses[-1]
        raise WrongState(f"Job {change.job.name} is {change.job.status}; {verb} is possible while it is {names}.")


def chosen_phases(change: Change, code: str) -> list[Phase]:
    """The phase of this code, or all of them."""
    return [change.phase_by_code(code)] if code else change.phases[change.job.pk]


def refuse_others(found: Sequence[int], asked: Sequence[int] | None, details: dict[int, str]) -> list[Refusal]:
    """A refusal for each asked id that was not found fit, with the detail where there is one."""
    fit = set(found)
    missing = "There is no such item in this job."
    return [Refusal(pk, details.get(pk, missing)) for pk in dict.fromkeys(asked or ()) if pk not in fit]
