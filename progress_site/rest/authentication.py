"""Authentication by `Authorization: Bearer <token>`."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from jobs.api import token_last_used


class BearerAuthentication(TokenAuthentication):
    """Hashed tokens. A header that is not printable ASCII text is refused like any other wrong token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the account and its token, None without a bearer header; AuthenticationFailed for a wrong one."""
        header = get_authorization_header(request)
        if not header.isascii() or b"\0" in header:
            raise AuthenticationFailed("Invalid token.")
        found: tuple[Any, Any] | None = super().authenticate(request)
        if found is not None:
            token_last_used.record_use(found[1])
        return found
