"""Authorization of a socket: when it opens, and again while it is open."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.access import Access, access_of
from jobs.live import tickets
from jobs.live.principals import Principal
from jobs.live.topics import Topic
from jobs.models import Job
from jobs.rules import names

NOT_SIGNED_IN = 4401
NOT_ALLOWED = 4403
NOT_FOUND = 4404


class Denied(Exception):
    """Refusal of a socket, with the code to close it with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Request to watch one job, the jobs of a project, or else all jobs, and the account that asks."""

    caller: Principal
    job_id: int | None = None
    project: str | None = None


def identify(*, ticket: str | None, session_key: str | None) -> Principal:
    """Return who opens the socket; raise Denied for an invalid ticket. A ticket is used up and replaces the session."""
    if ticket is None:
        return Principal(token=None, session_key=session_key)
    caller = tickets.redeem(ticket)
    if caller is None:
        raise Denied(NOT_SIGNED_IN)
    return caller


def authorize(request: WatchRequest) -> Topic:
    """Return the topic that the request may watch; raise Denied. It costs four queries at most."""
    user = request.caller.account()
    if not user.is_authenticated:
        raise Denied(NOT_SIGNED_IN)
    access = access_of(user)
    if not access.may("view_job"):
        raise Denied(NOT_ALLOWED)
    if request.job_id is not None:
        return _job(access, request.job_id)
    if request.project is not None:
        return _project(access, names.plain(request.project))
    return Topic(projects=access.projects)


def _job(access: Access, job_id: int) -> Topic:
    project = Job.objects.filter(pk=job_id).values_list("project", flat=True).first()
    if project is None:
        raise Denied(NOT_FOUND)
    if not access.sees(project):
        raise Denied(NOT_ALLOWED)
    return Topic(job=job_id)


def _project(access: Access, project: str) -> Topic:
    if not access.sees(project):
        raise Denied(NOT_ALLOWED)
    return Topic(projects=frozenset({project}))
