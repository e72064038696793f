"""The act on the limit of a project: how many items may be leased at once in its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import transaction

from jobs.change.audit import log_act
from jobs.models import ProjectLimit
from jobs.models.jobs import projects_of
from jobs.operations.base import require_permission
from jobs.operations.limit import limit_text
from jobs.rules import names
from jobs.rules.errors import BadInput, NotPermitted
from jobs.rules.limits import MOST_LEASED, PROJECT_LENGTH, REASON_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def set_project_limit(project: str, max_leased: int | None, *, actor: User | None, reason: str = "") -> bool:
    """Limit the leased items in the unfinished jobs of a project, or remove its limit (None); existing leases stay.

    Return whether it changed. BadInput names the wrong field; NotPermitted for a project that is not visible to the
    account.
    """
    require_permission(actor, "limit-project", permission="manage_limits")
    project = names.clean(project, field="project", most=PROJECT_LENGTH)
    projects = projects_of(actor) if actor else None
    if projects is not None and project not in projects:
        raise NotPermitted(f"Your account has no access to the project {project!r}.")
    if max_leased is not None and not 1 <= max_leased <= MOST_LEASED:
        raise BadInput({"max_leased": f"Enter a number from 1 to {MOST_LEASED}, or nothing for no limit."})
    if len(reason) > REASON_LENGTH:
        raise BadInput({"reason": f"Enter at most {REASON_LENGTH} characters."})
    with transaction.atomic():
        return _set(project, max_leased, actor=actor, reason=reason)


def _set(project: str, max_leased: int | None, *, actor: User | None, reason: str) -> bool:
    limit = ProjectLimit.objects.select_for_update().filter(project=project).first()
    before = limit.max_leased if limit else None
    if before == max_leased:
        return False
    if max_leased is None:
        assert limit is not None
        target, flag = limit, DELETION
    else:
        target, is_new = ProjectLimit.objects.update_or_create(project=project, defaults={"max_leased": max_leased})
        flag = ADDITION if is_new else CHANGE
    detail = f"Limit of project {project or '(none)'}: {limit_text(max_leased)} (was {limit_text(before)})."
    log_act(target, detail, account=actor, reason=reason, flag=flag, act="limit-project")
    if max_leased is None:
        target.delete()
    return True
