"""Time of the last use of each token.

It is recorded at most once a minute for each token and process, and only if the row is not locked: no call waits
for it, and none fails for it. A use that could not be recorded is recorded with one of the next calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from knox.models import AuthToken

from jobs.models import TokenUse

RECORD_SECONDS, RETRY_SECONDS = 60.0, 5.0  # seconds between two records of a token, and until the retry of a failed one
MAX_KNOWN = 10_000
LOCK_TIMEOUT = "50ms"

_lock = Lock()
_due_at: dict[str, float] = {}


def record_use(token: AuthToken) -> None:
    """Record that this token was used now."""
    if not _is_due(token.pk):
        return
    try:
        with _without_waiting(), transaction.atomic():
            _write(token)
    except (DatabaseError, InterfaceError):
        _due_at[token.pk] = monotonic() + RETRY_SECONDS


def forget() -> None:
    """Forget all recorded times; for tests."""
    _due_at.clear()


def _is_due(key: str) -> bool:
    now = monotonic()
    if _due_at.get(key, 0.0) > now:
        return False
    with _lock:
        if _due_at.get(key, 0.0) > now:
            return False
        if len(_due_at) >= MAX_KNOWN:
            _due_at.clear()
        _due_at[key] = now + RECORD_SECONDS
    return True


def _write(token: AuthToken) -> None:
    now = timezone.now()
    if not TokenUse.objects.filter(pk=token.pk).update(used_at=now):
        TokenUse.objects.bulk_create([TokenUse(token=token, used_at=now)], ignore_conflicts=True)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Make a lock that another transaction holds an error at once, or nearly so."""
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic():  # a pooler may give the next statement another connection
            connection.cursor().execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        before = cursor.fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {before}")
