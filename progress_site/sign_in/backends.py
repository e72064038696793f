"""Authentication backends: sessions of single sign-on, and the only local account where local sign-in is off."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest


class CompanyBackend(BaseBackend):
    """Sessions that began at the OpenID provider. They end when the provider is removed from the settings."""

    def get_user(self, user_id: int) -> User | None:
        """Return the account while it is active."""
        return User.objects.filter(pk=user_id, is_active=True).first()


class BreakGlassBackend(ModelBackend):
    """Passwords while local sign-in is off: only of BREAK_GLASS_ACCOUNT.

    Sessions of other local accounts name ModelBackend. They end because that backend is not configured then.
    """

    def authenticate(self, request: HttpRequest | None, username: Any = None, password: Any = None, **more: Any) -> Any:
        """Check the password of the one account; None for every other."""
        if username != settings.BREAK_GLASS_ACCOUNT:
            User().set_password(password)  # takes as long as a check, so that the time does not tell the name
            return None
        return super().authenticate(request, username=username, password=password, **more)
