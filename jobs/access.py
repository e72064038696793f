"""Who may do what: roles, permissions, and the projects that an account is limited to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Q

from jobs.models import Job, Membership
from jobs.models.jobs import projects_of
from jobs.rules.errors import NotFound, NotPermitted

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.db.models import QuerySet

    from jobs.models.jobs import JobQuerySet

PERMISSION, PROJECT = "permission", "project"
# Whoever manages tokens may give these without having them: reporting is what tokens are for.
REPORTING = frozenset(f"jobs.{name}" for name in ("view_job", "view_phase", "view_item", "add_job", "report_job"))
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


def lock_account(pk: int) -> User:
    """The account as it is now, locked until the transaction ends: nobody changes its roles or projects meanwhile.

    NotFound where it was deleted.
    """
    account: User | None = get_user_model().objects.select_for_update(no_key=True).filter(pk=pk).first()
    if account is None:
        raise NotFound("This account does not exist any more.")
    return account


def check_account(account: User, *, by: User) -> None:
    """Raise NotPermitted unless `by` may act for this account: it may nothing and sees nothing that `by` does not.

    Call it with the account locked, before a change and after it: an account that is taken over as it is would keep
    what it has, and one that is changed must not get more.
    """
    if by.is_superuser:
        return
    name, limits = account.get_username(), projects_of(by)
    if account.is_superuser:
        raise NotPermitted(f"{name} is a superuser; ask another superuser.")
    more = sorted(granted(account) - granted(by) - REPORTING)
    if more:
        raise NotPermitted(
            f"You cannot give the permission {more[0]} or act for {name}; your account does not have it."
        )
    own = projects_of(account)
    if limits is not None and (own is None or not set(own) <= set(limits)):
        raise NotPermitted(
            f"The account {name} is or would be outside your projects. "
            f"Name projects that you see yourself: {', '.join(sorted(limits))}."
        )


def granted(account: User) -> set[str]:
    """The permissions that an account has been given, also while it is switched off."""
    given = Permission.objects.filter(Q(user=account) | Q(group__user=account))
    return {f"{app}.{code}" for app, code in given.values_list("content_type__app_label", "codename")}


def limited_to(accounts: QuerySet[User], projects: Collection[str]) -> QuerySet[User]:
    """The accounts whose projects lie within these; neither superusers nor accounts that see every project."""
    inside = Membership.objects.filter(project__in=projects).values("user")
    outside = Membership.objects.exclude(project__in=projects).values("user")
    return accounts.filter(pk__in=inside, is_superuser=False).exclude(pk__in=outside)
