"""Authorization of sockets and streams: when they open, and again while they are open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from jobs.access import Access, accesses_of
from jobs.isolation import in_halves
from jobs.live import tickets
from jobs.live.principals import Principal, accounts_of
from jobs.live.topics import Topic
from jobs.models import Job
from jobs.rules import names
from jobs.rules.errors import BadInput
from jobs.rules.limits import LARGEST_INTEGER, PROJECT_LENGTH

PERMISSION = "view_job"
INVALID = 4400
NOT_SIGNED_IN = 4401
NOT_ALLOWED = 4403
NOT_FOUND = 4404


class Denied(Exception):
    """Refusal of a socket or a stream, with the code to close it with, and a reason where the code needs one."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Request to watch one job, the jobs of a project, or else all jobs, and the account that asks."""

    caller: Principal
    job_id: int | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a permitted request: the account, its access, and the topic that it may watch.

    `is_gone` says that the single job of the request does not exist.
    """

    account: int
    access: Access
    topic: Topic
    is_gone: bool = False


def identify(*, ticket: str | None, bearer: str | None = None, session_key: str | None) -> Principal:
    """Return who opens the socket; raise Denied for an invalid ticket.

    A ticket is used up and replaces a token, and a token replaces the session.
    """
    if ticket is None and bearer is not None:
        return Principal.of_secret(bearer)
    if ticket is None:
        return Principal(token=None, session_key=session_key)
    caller = tickets.redeem(ticket)
    if caller is None:
        raise Denied(NOT_SIGNED_IN)
    return caller


def clean_project(project: str) -> str:
    """Return the name of a project as REST takes it; raise Denied for a name that no project can have."""
    try:
        return names.clean(project, field="project", most=PROJECT_LENGTH)
    except BadInput as error:
        raise Denied(INVALID, error.detail) from error


def authorize(request: WatchRequest) -> Grant:
    """Return the grant of a request that opens; raise Denied. It costs four queries at most."""
    grant = _verdicts([request])[request]
    if isinstance(grant, Denied):
        raise grant
    if grant.is_gone:
        raise Denied(NOT_FOUND)
    return grant


def recheck(requests: Iterable[WatchRequest]) -> dict[WatchRequest, Grant | Denied]:
    """Return the verdict of now for each request, with a constant number of queries.

    A request that cannot be checked is left out and fails none of the others. A deleted job is no refusal: the hub
    sends that it is gone.
    """
    different = list(dict.fromkeys(requests))
    return dict(in_halves(lambda part: _verdicts(part).items(), different, step="live.recheck", name="request"))


def _verdicts(requests: Sequence[WatchRequest]) -> dict[WatchRequest, Grant | Denied]:
    accounts = accounts_of(request.caller for request in requests)
    accesses = accesses_of(accounts.values())
    signed_in = [request for request in requests if request.caller in accounts]
    projects = _projects_of({request.job_id for request in signed_in if request.job_id is not None})
    found: dict[WatchRequest, Grant | Denied] = {request: Denied(NOT_SIGNED_IN) for request in requests}
    for request in signed_in:
        account = accounts[request.caller].pk
        found[request] = _verdict(request, account, accesses[account], projects)
    return found


def _projects_of(job_ids: Collection[int]) -> dict[int, str]:
    stored = [job_id for job_id in job_ids if job_id <= LARGEST_INTEGER]
    return dict(Job.objects.filter(pk__in=stored).values_list("pk", "project")) if stored else {}


def _verdict(request: WatchRequest, account: int, access: Access, projects: dict[int, str]) -> Grant | Denied:
    if not access.may(PERMISSION):
        return Denied(NOT_ALLOWED)
    if request.job_id is None:
        wanted = request.project
        topic = Topic(projects=access.projects if wanted is None else frozenset({wanted}))
        return Grant(account, access, topic) if wanted is None or access.sees(wanted) else Denied(NOT_ALLOWED)
    project = projects.get(request.job_id)
    if project is not None and not access.sees(project):
        return Denied(NOT_ALLOWED)
    return Grant(account, access, Topic(job=request.job_id), is_gone=project is None)
