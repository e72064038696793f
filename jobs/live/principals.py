"""Principals of live connections: the accounts behind their tokens and sessions, as they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from knox.crypto import hash_token
from knox.models import AuthToken

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

# Mark of a session whose account still has to give a second factor. It is no principal of a live connection.
UNFINISHED = "sign_in_unfinished"


@dataclass(frozen=True, slots=True)
class Principal:
    """A token by its id, or else a session by its key."""

    token: str | None
    session_key: str | None = field(repr=False)  # a secret: it must not reach the log

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the principal of a request."""
        token = request.auth.pk if isinstance(request.auth, AuthToken) else None
        return cls(token=token, session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME))

    @classmethod
    def of_secret(cls, secret: str) -> Self:
        """Return the principal of a token by its secret. An unknown one has no account."""
        return cls(token=hash_token(secret), session_key=None)


def accounts_of(principals: Iterable[Principal]) -> dict[Principal, User]:
    """Load the accounts of these principals, in three queries at most.

    A principal is left out if its token or session has ended, its password was changed, or its account is inactive.
    """
    given = set(principals)
    by_token = _accounts_of_tokens({each.token for each in given if each.token is not None})
    by_session = _accounts_of_sessions({str(each.session_key) for each in given if each.token is None})
    found = {
        each: by_session.get(str(each.session_key)) if each.token is None else by_token.get(each.token)
        for each in given
    }
    return {each: account for each, account in found.items() if account is not None}


def _accounts_of_tokens(ids: Collection[str]) -> dict[str, User]:
    if not ids:
        return {}
    unexpired = Q(expiry__isnull=True) | Q(expiry__gt=timezone.now())
    tokens = AuthToken.objects.select_related("user").filter(unexpired, pk__in=ids, user__is_active=True)
    return {token.pk: token.user for token in tokens}


def _accounts_of_sessions(keys: Collection[str]) -> dict[str, User]:
    make = import_module(settings.SESSION_ENGINE).SessionStore
    valid = [key for key in keys if make(key).session_key]
    if not valid:
        return {}
    store = make()
    rows = store.model.objects.filter(session_key__in=valid, expire_date__gt=timezone.now())
    sessions = {row.session_key: store.decode(row.session_data) for row in rows}
    ids = {session[SESSION_KEY] for session in sessions.values() if SESSION_KEY in session}
    accounts = {str(user.pk): user for user in get_user_model().objects.filter(pk__in=ids, is_active=True)}
    found = {key: accounts.get(str(session.get(SESSION_KEY))) for key, session in sessions.items()}
    return {key: user for key, user in found.items() if user is not None and _is_signed_in(sessions[key], user)}


def _is_signed_in(session: dict[str, Any], user: User) -> bool:
    """Check the session like Django does for a request: by a backend of today, with the password of today."""
    stored = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    is_known = session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
    is_known = is_known and UNFINISHED not in session
    return is_known and any(constant_time_compare(stored, each) for each in hashes)
