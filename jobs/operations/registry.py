"""Registry of operator acts. Everything that lists acts reads it: REST, OpenAPI, pages, bulk acts, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jobs.models.jobs import PERMISSIONS
from jobs.operations.base import Operation, legal_states

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models import Job

ACTS: dict[str, Operation] = {}
MEANING = dict(PERMISSIONS)

Registered = TypeVar("Registered", bound=Operation)


def register(act: Registered) -> Registered:
    """Add an act; ValueError for a name that is taken."""
    if act.name in ACTS:
        raise ValueError(f"There is an act {act.name!r} already.")
    ACTS[act.name] = act
    return act


def forbidden(act: Operation, user: User | AnonymousUser) -> str:
    """Say which permission the account lacks for this act; empty where it has it."""
    if user.has_perm(act.permission):
        return ""
    meaning = MEANING.get(act.permission.removeprefix("jobs."), act.permission)
    return f"Needs the permission “{meaning}”. Ask an administrator for a role that has it."


def refusal(act: Operation, job: Job, user: User | AnonymousUser) -> str:
    """Say why this account cannot do this act on this job now; empty where it can."""
    if why_not := forbidden(act, user):
        return why_not
    if job.status not in act.states:
        return f"Job {job.name} is {job.status}; possible while it is {legal_states(act)}."
    return ""
