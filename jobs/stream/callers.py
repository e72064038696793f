"""Who listens: the account behind a token or a session, as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.request import Request

from jobs.access import Access, access_of
from jobs.live.admission import account_of_session

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Caller:
    """A token by its id, or else a session by its key."""

    token: str | None
    session_key: str | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Who sent this request."""
        token = request.auth.pk if isinstance(request.auth, AuthToken) else None
        return cls(token=token, session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME))

    def access(self) -> Access:
        """What the account may do and see now: nothing once the token or the session has ended."""
        return access_of(account_of_session(self.session_key) if self.token is None else self._account_of_token())

    def _account_of_token(self) -> User | AnonymousUser:
        token = AuthToken.objects.select_related("user").filter(pk=self.token).first()
        if token is None or (token.expiry is not None and token.expiry <= timezone.now()):
            return AnonymousUser()
        user: User = token.user
        return user
