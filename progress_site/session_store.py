"""Sessions in the database, found only by keys that this site can have made."""

from __future__ import annotations

import re

from django.contrib.sessions.backends import db

KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(db.SessionStore):
    """Django's session. A cookie with another key starts a new session: PostgreSQL fails on a NUL in a query."""

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and KEY.fullmatch(key))
