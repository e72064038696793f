"""Principal of a live connection: the account behind a token or a session, as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from knox.models import AuthToken

from jobs.access import Access, access_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request


@dataclass(frozen=True, slots=True)
class Principal:
    """A token by its id, or else a session by its key."""

    token: str | None
    session_key: str | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the principal of a request."""
        token = request.auth.pk if isinstance(request.auth, AuthToken) else None
        return cls(token=token, session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME))

    def account(self) -> User | AnonymousUser:
        """Load the account; anonymous if the token or the session has ended, or the account is inactive."""
        return _account_of_session(self.session_key) if self.token is None else _account_of_token(self.token)

    def access(self) -> Access:
        """Return the permissions and projects of now: none once the token or the session has ended."""
        return access_of(self.account())


def _account_of_session(session_key: str | None) -> User | AnonymousUser:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request)


def _account_of_token(key: str) -> User | AnonymousUser:
    token = AuthToken.objects.select_related("user").filter(pk=key, user__is_active=True).first()
    if token is None or (token.expiry is not None and token.expiry <= timezone.now()):
        return AnonymousUser()
    user: User = token.user
    return user
