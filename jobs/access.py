"""Who may do what: roles, permissions, and the projects that an account is limited to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import connection

from jobs.errors import NotPermitted
from jobs.models import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models.jobs import JobQuerySet

PERMISSION, PROJECT = "permission", "project"
# Written out because every request asks it: to build it through the ORM takes ten times as long as to run it.
GRANTED = """
    SELECT 'permission', p.codename
      FROM auth_permission p
      JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'jobs'
      JOIN auth_group_permissions g ON g.permission_id = p.id
      JOIN auth_user_groups u ON u.group_id = g.group_id
     WHERE u.user_id = %s
 UNION ALL
    SELECT 'permission', p.codename
      FROM auth_permission p
      JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'jobs'
      JOIN auth_user_user_permissions u ON u.permission_id = p.id
     WHERE u.user_id = %s
 UNION ALL
    SELECT 'project', project FROM jobs_membership WHERE user_id = %s
"""


class Role(StrEnum):
    """The groups that a migration makes. Operator and lead include viewer; worker stands beside them."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    LEAD = "lead"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Access:
    """What one account may do and see: code names of the kernel's permissions, and projects. None means all."""

    permissions: frozenset[str] | None
    projects: frozenset[str] | None

    def may(self, permission: str) -> bool:
        """Does the account have this permission, such as `view_job`?"""
        return self.permissions is None or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise NotPermitted, which names the permission, unless the account has it."""
        if not self.may(permission):
            raise NotPermitted(f"This needs the permission jobs.{permission}.")

    def sees(self, project: str) -> bool:
        """Is a job of this project within the account's sight?"""
        return self.projects is None or project in self.projects

    def jobs(self) -> JobQuerySet:
        """The jobs within the account's sight."""
        return Job.objects.all() if self.projects is None else Job.objects.filter(project__in=self.projects)


def access_of(user: User | AnonymousUser) -> Access:
    """What this account may do and see, in one query; nothing where it is anonymous or switched off."""
    if not user.is_active:
        return Access(frozenset(), frozenset())
    if user.is_superuser:
        return Access(None, None)
    found: dict[str, set[str]] = {PERMISSION: set(), PROJECT: set()}
    with connection.cursor() as cursor:
        cursor.execute(GRANTED, [user.pk] * 3)
        for what, name in cursor.fetchall():
            found[what].add(name)
    return Access(frozenset(found[PERMISSION]), frozenset(found[PROJECT]) or None)


def require(user: User | AnonymousUser, permission: str) -> None:
    """Raise NotPermitted, which names the permission, unless the account has it (`view_job`, `retry_job` …)."""
    access_of(user).require(permission)


def visible_jobs(user: User | AnonymousUser) -> JobQuerySet:
    """The jobs that this account sees: none without the permission to view, else those of its projects."""
    access = access_of(user)
    return access.jobs() if access.may("view_job") else Job.objects.none()
