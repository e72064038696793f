"""Access: roles, permissions, and the projects that an account is limited to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
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
# Managers of tokens may grant these without having them: tokens are made for reporting.
REPORTING = frozenset(f"jobs.{name}" for name in ("view_job", "view_phase", "view_item", "add_job", "report_job"))
# Plain SQL because every request runs it: to build it through the ORM takes ten times as long as to run it.
GRANTED = """
    SELECT u.user_id, 'permission', p.codename
      FROM auth_permission p
      JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'jobs'
      JOIN auth_group_permissions g ON g.permission_id = p.id
      JOIN auth_user_groups u ON u.group_id = g.group_id
     WHERE u.user_id IN ({ids})
 UNION ALL
    SELECT u.user_id, 'permission', p.codename
      FROM auth_permission p
      JOIN django_content_type t ON t.id = p.content_type_id AND t.app_label = 'jobs'
      JOIN auth_user_user_permissions u ON u.permission_id = p.id
     WHERE u.user_id IN ({ids})
 UNION ALL
    SELECT user_id, 'project', project FROM jobs_membership WHERE user_id IN ({ids})
"""


class Role(StrEnum):
    """The groups that a migration creates. Operator and lead include viewer; worker is separate."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    LEAD = "lead"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Access:
    """The access of an account: code names of the kernel's permissions, and projects. None means all."""

    permissions: frozenset[str] | None
    projects: frozenset[str] | None

    def may(self, permission: str) -> bool:
        """Return whether the account has this permission, such as `view_job`."""
        return self.permissions is None or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise NotPermitted, which names the permission, unless the account has it."""
        if not self.may(permission):
            raise NotPermitted(f"This needs the permission jobs.{permission}.")

    def sees(self, project: str) -> bool:
        """Return whether jobs of this project are visible to the account."""
        return self.projects is None or project in self.projects

    def jobs(self) -> JobQuerySet:
        """Return the jobs visible to the account."""
        found: JobQuerySet = Job.objects.all()
        return found if self.projects is None else found.filter(project__in=self.projects)


ALL_ACCESS, NO_ACCESS = Access(None, None), Access(frozenset(), frozenset())


def access_of(user: User | AnonymousUser) -> Access:
    """Read the access of this account in one query; none where it is anonymous or inactive."""
    return accesses_of([user])[user.pk] if user.is_active else NO_ACCESS


def accesses_of(users: Iterable[User]) -> dict[int, Access]:
    """Read the access of these accounts, by their ids, in one query; none where one is inactive."""
    accounts = {user.pk: user for user in users}
    limited = [pk for pk, user in accounts.items() if user.is_active and not user.is_superuser]
    granted: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    if limited:
        with connection.cursor() as cursor:
            cursor.execute(GRANTED.format(ids=", ".join(["%s"] * len(limited))), limited * 3)
            for pk, column, name in cursor.fetchall():
                granted[pk, column].add(name)
    found = {pk: Access(frozenset(granted[pk, PERMISSION]), frozenset(granted[pk, PROJECT]) or None) for pk in limited}
    return {pk: found.get(pk, ALL_ACCESS if user.is_active else NO_ACCESS) for pk, user in accounts.items()}


def require(user: User | AnonymousUser, permission: str) -> None:
    """Raise NotPermitted, which names the permission, unless the account has it (`view_job`, `retry_job` …)."""
    access_of(user).require(permission)


def lock_account(pk: int) -> User:
    """Lock an account until the transaction ends, so that its roles and projects stay; return its present row.

    NotFound where it was deleted.
    """
    account: User | None = get_user_model().objects.select_for_update(no_key=True).filter(pk=pk).first()
    if account is None:
        raise NotFound("This account no longer exists.")
    return account


def check_account(account: User, *, by: User) -> None:
    """Raise NotPermitted unless `by` may act for this account, which must not have more access than `by`.

    Call it with the account locked, before a change and after it: an existing account keeps its access, and a changed
    one must not get more.
    """
    if by.is_superuser:
        return
    name, limits = account.get_username(), projects_of(by)
    if account.is_superuser:
        raise NotPermitted(f"{name} is a superuser; ask another superuser.")
    more = sorted(granted(account) - granted(by) - REPORTING)
    if more:
        raise NotPermitted(
            f"You cannot grant the permission {more[0]} or act for {name}; your account does not have it."
        )
    own = projects_of(account)
    if limits is not None and (own is None or not set(own) <= set(limits)):
        raise NotPermitted(
            f"The account {name} is or would be outside your projects. "
            f"Name projects that you see yourself: {', '.join(sorted(limits))}."
        )


def granted(account: User) -> set[str]:
    """Return the permissions of an account, also while it is inactive."""
    given = Permission.objects.filter(Q(user=account) | Q(group__user=account))
    return {f"{app}.{code}" for app, code in given.values_list("content_type__app_label", "codename")}


def limited_to(accounts: QuerySet[User], projects: Collection[str]) -> QuerySet[User]:
    """Return the accounts that are limited to these projects; no superusers and none that see every project."""
    inside = Membership.objects.filter(project__in=projects).values("user")
    outside = Membership.objects.exclude(project__in=projects).values("user")
    return accounts.filter(pk__in=inside, is_superuser=False).exclude(pk__in=outside)
