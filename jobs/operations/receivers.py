"""Checks that the acts on endpoints and on channels share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from jobs.models.jobs import projects_of
from jobs.operations.base import require_permission
from jobs.rules.errors import Conflict, NotPermitted

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def require_project(actor: User | None, permission: str, *, receiver: str, project: str) -> None:
    """Refuse an account without the permission or without the project. The system (None) needs neither.

    A receiver without a project gets messages of all projects.
    """
    require_permission(actor, permission, permission=permission)
    projects = projects_of(actor) if actor else None
    if projects is not None and project not in projects:
        raise NotPermitted(
            f"Your account has no access to the project {project!r}."
            if project
            else f"{receiver} for all projects needs an account that is not limited to projects."
        )


@contextmanager
def once_per_project(refusal: str, *, code: str) -> Iterator[None]:
    """Refuse a receiver that the project has already.

    The unique constraint decides, because two requests may arrive at the same moment.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(refusal, code=code) from error
