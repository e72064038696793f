"""Access of tokens, kept for two seconds, so that a call of a worker costs no query for it.

A change in this process is effective at once: it calls `forget` when it commits. Other processes see it after
KEPT_SECONDS at the latest. Only digests of tokens are kept, and they are compared in constant time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha512
from hmac import compare_digest
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken
from knox.settings import CONSTANTS

from jobs.access import Access, access_of
from jobs.api import token_last_used

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KEPT_SECONDS = 2.0
MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The account of a token, and its access as it was read."""

    account: User
    access: Access


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    caller: Caller
    expires_at: datetime | None
    until: float


class TokenCache:
    """The tokens that were used lately, by their first characters, which are no secret."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._entries: dict[str, _Entry] = {}
        self._changes = 0

    def get(self, secret: str) -> Caller | None:
        """Return the caller with this token, if it is known; no query."""
        entry = self._entries.get(_key(secret))
        if entry is None or entry.until <= self._clock() or not compare_digest(entry.digest, _digest(secret)):
            return None
        return None if _is_over(entry.expires_at) else entry.caller

    def load(self, secret: str) -> Caller | None:
        """Read the token and the access of its account, and keep them; None where the token is wrong or has ended."""
        changes, until = self._changes, self._clock() + KEPT_SECONDS
        token = _find(secret)
        if token is None:
            return None
        token_last_used.record_use(token)
        caller = Caller(token.user, access_of(token.user))
        with self._lock:
            if changes == self._changes:  # else it was read before a change, and may be outdated
                if len(self._entries) >= MAX_KEPT:
                    self._entries.clear()
                self._entries[_key(secret)] = _Entry(_digest(secret), caller, token.expiry, until)
        return caller

    def forget(self) -> None:
        """Forget everything, also what is being read at this moment."""
        with self._lock:
            self._changes += 1
            self._entries.clear()


cache = TokenCache()


def forget_when_committed() -> None:
    """Make this transaction's change of tokens, accounts, roles or memberships effective when it commits."""
    transaction.on_commit(cache.forget, robust=True)


def _key(secret: str) -> str:
    return secret[: CONSTANTS.TOKEN_KEY_LENGTH]


def _digest(secret: str) -> bytes:
    return sha512(secret.encode()).digest()


def _find(secret: str) -> AuthToken | None:
    digest = hash_token(secret)
    for token in AuthToken.objects.select_related("user").filter(token_key=_key(secret)):
        if compare_digest(token.digest, digest) and token.user.is_active and not _is_over(token.expiry):
            return token
    return None


def _is_over(expiry: datetime | None) -> bool:
    return expiry is not None and expiry < timezone.now()
