"""Whose socket it is, and what it may watch: asked when it opens, and again while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from jobs.access import Access, access_of
from jobs.live.topics import Topic
from jobs.models import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

NOT_SIGNED_IN = 4401
NOT_ALLOWED = 4403
NOT_FOUND = 4404


class Denied(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asks to watch (a job, the jobs of a project, or else all), with its session."""

    session_key: str | None
    job_id: int | None = None
    project: str | None = None


def admit(request: Request) -> Topic:
    """What the socket watches; raises Denied. Four queries at most."""
    user = account_of_session(request.session_key)
    if not user.is_authenticated:
        raise Denied(NOT_SIGNED_IN)
    access = access_of(user)
    if not access.may("view_job"):
        raise Denied(NOT_ALLOWED)
    if request.job_id is not None:
        return _job(access, request.job_id)
    if request.project is not None:
        return _project(access, request.project)
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


def account_of_session(session_key: str | None) -> User | AnonymousUser:
    """The account of a session as it is stored now; anonymous where it ended or the account is switched off."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request)
