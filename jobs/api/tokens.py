"""Tokens of API clients: issue, rotate, revoke. The secret is shown once and stored hashed.

The admin's log records each change with its account, time and reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from jobs.access import Role, access_of, check_account, limited_to, lock_account
from jobs.api.token_cache import forget_when_committed
from jobs.change.audit import log_act
from jobs.models import Membership
from jobs.rules import names
from jobs.rules.errors import NotFound, WrongState
from jobs.rules.formatting import format_datetime
from jobs.rules.limits import ACCOUNT_LENGTH, PROJECT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

PERMISSION = "manage_tokens"
DIGEST_SHOWN = 12


def issue(
    name: str,
    *,
    roles: Sequence[str] = (),
    projects: Sequence[str] | None = None,
    days: int | None = None,
    by: User | None = None,
    reason: str = "",
) -> str:
    """Issue a token for the account of this name, which is created if missing; return its secret, which is not stored.

    Given roles or projects replace those of the account; a new account is a worker. `by` (None: the system) needs the
    permission to manage tokens. NotPermitted if the account, before or after the change, has permissions or projects
    that `by` lacks; then nothing is changed.
    """
    with transaction.atomic():
        account, created = _account(name, by=by)
        if created or roles:
            account.groups.set(Group.objects.filter(name__in=roles or [Role.WORKER]))
        if projects is not None:
            _limit(account, projects=projects)
        forget_when_committed()
        if by is not None:
            check_account(account, by=by)
        token, secret = AuthToken.objects.create(account, expiry=timedelta(days=days) if days else None)
        _log(token, by, ADDITION, "issue", "Issued.", reason)
    return str(secret)


def rotate(token: AuthToken, *, grace: timedelta = timedelta(0), by: User | None = None, reason: str = "") -> str:
    """Issue a new secret for the account of this token, with the same roles and projects, for as many days.

    The old one ends at once, or after `grace` at the latest. NotFound if it has ended already or is not visible to
    `by`; NotPermitted if the account has permissions that `by`, who gets its secret, lacks.
    """
    with transaction.atomic():
        old = _locked(token, by)
        forget_when_committed()
        _check_usable(old.user)
        new, secret = AuthToken.objects.create(old.user, expiry=old.expiry - old.created if old.expiry else None)
        _log(new, by, ADDITION, "issue", f"Issued in place of {old.digest[:DIGEST_SHOWN]}.", reason)
        _log(old, by, CHANGE, "rotate", f"Rotated; the old secret ends {_end(old, grace=grace)}.", reason)
    return str(secret)


def revoke(token: AuthToken, *, by: User | None = None, reason: str = "") -> None:
    """End a token at once.

    NotFound if it has ended already or is not visible to `by`; NotPermitted if its account has permissions that `by`
    lacks.
    """
    with transaction.atomic():
        old = _locked(token, by)
        forget_when_committed()
        _log(old, by, DELETION, "revoke", "Revoked.", reason)
        old.delete()


def _end(old: AuthToken, *, grace: timedelta) -> str:
    """End the old secret and return when, in words."""
    if not grace:
        AuthToken.objects.filter(pk=old.pk).delete()
        return "at once"
    until = min(filter(None, (old.expiry, timezone.now() + grace)))
    AuthToken.objects.filter(pk=old.pk).update(expiry=until)
    return f"at {format_datetime(until)}"


def _locked(token: AuthToken, by: User | None) -> AuthToken:
    """Return the token and its account, checked as they are now and locked until the transaction ends."""
    gone = NotFound(f"The token {token.digest[:DIGEST_SHOWN]} has ended or was deleted.")
    if by is not None:
        access_of(by).require(PERMISSION)
    lock_account(token.user_id)
    if by is not None and not in_reach_of(by).filter(pk=token.pk).exists():
        raise gone
    locked = AuthToken.objects.select_for_update(of=("self",)).select_related("user").filter(pk=token.pk).first()
    if locked is None:
        raise gone
    if by is not None:
        check_account(locked.user, by=by)
    return locked


def in_reach_of(user: User) -> QuerySet[AuthToken]:
    """Return the tokens that this account may see and revoke; for a limited account those of its own projects."""
    tokens = AuthToken.objects.select_related("user")
    access = access_of(user)
    if not access.may(PERMISSION):
        return tokens.none()
    if access.projects is None:
        return tokens
    return tokens.filter(user__in=limited_to(get_user_model().objects.all(), access.projects))


def _account(name: str, *, by: User | None) -> tuple[User, bool]:
    """Return the account of this name, locked, and whether it was created now; an existing one is checked."""
    if by is not None:
        access_of(by).require(PERMISSION)
    name = names.clean(name, field="account", most=ACCOUNT_LENGTH)
    account, created = get_user_model().objects.get_or_create(username=name)
    account = lock_account(account.pk)
    if created:
        account.set_unusable_password()
        account.save(update_fields=["password"])
    elif by is not None:
        check_account(account, by=by)
    _check_usable(account)
    return account, created


def _check_usable(account: User) -> None:
    if account.is_staff or account.is_superuser:
        raise WrongState(f"{account.username} is a staff account. Issue the token for a separate account.")
    if not account.is_active:
        raise WrongState(f"The account {account.username} is inactive. Activate it first.")


def _log(token: AuthToken, by: User | None, flag: int, act: str, what: str, reason: str) -> None:
    key = token.digest[:DIGEST_SHOWN]
    label = f"{key} of {token.user.get_username()}"
    log_act(token, what, account=by, flag=flag, reason=reason, key=key, label=label, act=act)


def _limit(account: User, *, projects: Sequence[str]) -> None:
    projects = [names.clean(project, field="projects", most=PROJECT_LENGTH) for project in projects]
    account.memberships.exclude(project__in=projects).delete()
    Membership.objects.bulk_create(
        [Membership(user=account, project=project) for project in sorted(set(projects))], ignore_conflicts=True
    )
