"""Roles and memberships of an account, as the claims of its provider grant them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import Group
from django.db import transaction

from jobs.access import lock_account
from jobs.api.token_cache import forget_when_committed
from jobs.models import Membership
from progress_site.sign_in.audit import record
from progress_site.sign_in.claims import Grant
from progress_site.sign_in.configuration import ALL_PROJECTS, ROLES

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def apply_grant(account: User, grant: Grant, *, source: str) -> None:
    """Set the roles and memberships of an account, and record what changed.

    Groups other than the roles of operators stay. Memberships stay where the claims name no project: without any, the
    account would see every project.
    """
    lock_account(account.pk)
    forget_when_committed()
    if grant.roles is not None:
        _set_roles(account, grant.roles, source=source)
    if grant.projects:
        every = ALL_PROJECTS in grant.projects
        _set_projects(account, frozenset() if every else grant.projects, source=source)


def has_role(account: User) -> bool:
    """Return whether the account is in any group."""
    return account.groups.exists()


def _set_roles(account: User, roles: frozenset[str], *, source: str) -> None:
    before = set(account.groups.filter(name__in=ROLES).values_list("name", flat=True))
    if before != roles:
        account.groups.remove(*Group.objects.filter(name__in=before - roles))
        account.groups.add(*Group.objects.filter(name__in=roles - before))
        record(account, f"roles: {_words(roles)}, before {_words(before)}. From the groups of {source}.")


def _set_projects(account: User, projects: frozenset[str], *, source: str) -> None:
    before = set(account.memberships.values_list("project", flat=True))
    if before != projects:
        account.memberships.filter(project__in=before - projects).delete()
        Membership.objects.bulk_create(Membership(user=account, project=name) for name in sorted(projects - before))
        after, earlier = _words(projects, none="all"), _words(before, none="all")
        record(account, f"projects: {after}, before {earlier}. From the groups of {source}.")


def _words(names: set[str] | frozenset[str], *, none: str = "none") -> str:
    return ", ".join(sorted(names)) or none
