"""Tokens of API clients: a secret for an account that is made where it is missing, shown once, stored hashed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from knox.models import AuthToken

from jobs.access import Role, access_of
from jobs.errors import NotPermitted, WrongState
from jobs.models import Membership

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

PERMISSION = "manage_tokens"


def issue(
    name: str,
    *,
    roles: Sequence[str] = (),
    projects: Sequence[str] | None = None,
    days: int | None = None,
    by: User | None = None,
) -> str:
    """A new token for the account of this name; the answer is its secret, which nobody can read again.

    Roles or projects that are given replace those of the account; a new account is a worker. `by`
    (None: the system) needs the permission to manage tokens, and gives no more than it may itself.
    """
    with transaction.atomic():
        account = _account(name, roles=roles)
        if projects is not None:
            _limit(account, projects=projects)
        if by is not None:
            _check(account, by=by)
        _, secret = AuthToken.objects.create(account, expiry=timedelta(days=days) if days else None)
    return str(secret)


def in_reach_of(user: User) -> QuerySet[AuthToken]:
    """The tokens that this account may see and revoke; only those of its own projects where it is limited."""
    tokens = AuthToken.objects.select_related("user")
    access = access_of(user)
    if not access.may(PERMISSION):
        return tokens.none()
    if access.projects is None:
        return tokens
    inside = Membership.objects.filter(project__in=access.projects).values("user")
    outside = Membership.objects.exclude(project__in=access.projects).values("user")
    return tokens.filter(user__in=inside, user__is_superuser=False).exclude(user__in=outside)


def _account(name: str, *, roles: Sequence[str]) -> User:
    """The account of this name; roles that are given replace those that it has."""
    account, created = get_user_model().objects.get_or_create(username=name)
    if account.is_staff or account.is_superuser:
        raise WrongState(f"{name} is a staff account; tokens go to accounts of their own.")
    if not account.is_active:
        raise WrongState(f"The account {name} is switched off.")
    if created:
        account.set_unusable_password()
        account.save(update_fields=["password"])
    if created or roles:
        account.groups.set(Group.objects.filter(name__in=roles or [Role.WORKER]))
    return account


def _limit(account: User, *, projects: Sequence[str]) -> None:
    account.memberships.exclude(project__in=projects).delete()
    Membership.objects.bulk_create(
        [Membership(user=account, project=project) for project in sorted(set(projects))], ignore_conflicts=True
    )


def _check(account: User, *, by: User) -> None:
    """Nobody hands out more than they may: neither acts nor projects. Reporting is what tokens are for."""
    giver = access_of(by)
    giver.require(PERMISSION)
    given = access_of(account)
    reporting = {"view_job", "view_phase", "view_item", "add_job", "report_job"}
    if giver.permissions is not None:
        more = sorted((given.permissions or set()) - giver.permissions - reporting)
        if more:
            raise NotPermitted(f"You cannot give the permission jobs.{more[0]}; your account does not have it.")
    if giver.projects is not None and (given.projects is None or given.projects - giver.projects):
        raise NotPermitted(f"Name projects that you see yourself: {', '.join(sorted(giver.projects))}.")
