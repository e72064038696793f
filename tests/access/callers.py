"""Callers: an account of every role, unlimited and limited to a project, and credentials that have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs.access import Role
from jobs.models import Membership
from tests.access.projects import OWN

ENDED = ("expired", "revoked", "inactive")
LIMITED = tuple(f"{role} of {OWN}" for role in Role)


@dataclass(frozen=True)
class Caller:
    """A caller with a token for the API and a session for pages."""

    name: str
    token: str = ""
    session_key: str = ""

    @property
    def role(self) -> str:
        """The row of the table of rules."""
        return "ended" if self.name in ENDED else self.name.removesuffix(f" of {OWN}")

    @property
    def limited(self) -> bool:
        """Whether the account is limited to its own project."""
        return self.name.endswith(f" of {OWN}")

    def ask(self, client: Client, method: str, path: str, body: Any = "") -> HttpResponse:
        """Send a request with the credentials of the caller: the API gets the token, other addresses the session."""
        of_api = path.startswith("/api/")
        client.cookies = SimpleCookie()
        if self.session_key and not of_api:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.session_key
        headers = {"Authorization": f"Bearer {self.token}"} if self.token and of_api else {}
        kind = "application/json" if of_api else "application/x-www-form-urlencoded"
        response: HttpResponse = client.generic(method, path, body, content_type=kind, headers=headers)
        return response


def make_callers() -> dict[str, Caller]:
    """Make the accounts of all callers, with their tokens and sessions."""
    callers = {role: sign_in(role, groups=[role]) for role in Role}
    callers |= {f"{role} of {OWN}": sign_in(f"{role} of {OWN}", groups=[role], project=OWN) for role in Role}
    callers |= {"staff": sign_in("staff"), "superuser": sign_in("superuser", superuser=True)}
    callers |= {name: ended(name) for name in ENDED}
    return {"anonymous": Caller("anonymous"), **callers}


def sign_in(
    name: str, *, groups: Any = (), project: str = "", superuser: bool = False, every_permission: bool = False
) -> Caller:
    """Make an account with a token and a session. Workers are no staff; every other account is."""
    account = User.objects.create(
        username=name.replace(" ", "-"), is_staff=Role.WORKER not in groups, is_superuser=superuser
    )
    account.groups.set(Group.objects.filter(name__in=groups))
    if project:
        Membership.objects.create(user=account, project=project)
    if every_permission:
        account.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(account, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return Caller(name, token=AuthToken.objects.create(account)[1], session_key=str(client.session.session_key))


def ended(name: str) -> Caller:
    """Make the account of a superuser, and end its credentials in this way."""
    caller = sign_in(name, superuser=True)
    account, before = User.objects.get(username=name), timezone.now() - timedelta(seconds=1)
    tokens, sessions = AuthToken.objects.filter(user=account), Session.objects.filter(pk=caller.session_key)
    if name == "expired":
        tokens.update(expiry=before)
        sessions.update(expire_date=before)
    elif name == "revoked":
        tokens.delete()
        sessions.delete()
    else:
        account.is_active = False
        account.save()
    return caller
