"""Django's backend for SQLite, in which `icontains` and its like ignore the case of all letters.

SQLite itself knows the case of ASCII only: a search for "müller" would not find "MÜLLER".
"""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base, operations

from jobs.rules.composition import composed

FOLDED = ("iexact", "icontains", "istartswith", "iendswith")


def fold(text: object) -> str | None:
    """Return a text without its case and in composed form; null stays null."""
    if text is None:
        return None
    return composed(str(text).casefold())


class DatabaseOperations(operations.DatabaseOperations):
    """Comparisons without case, with both sides folded."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return the SQL of a column in a comparison."""
        return "FOLD(%s)" if lookup_type in FOLDED else str(super().lookup_cast(lookup_type, internal_type))


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections with the SQL function `FOLD`."""

    ops_class = DatabaseOperations
    operators = {
        **base.DatabaseWrapper.operators,
        **dict.fromkeys(FOLDED, r"LIKE FOLD(%s) ESCAPE '\'"),
    }

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Connect, and register the function."""
        connection: sqlite3.Connection = super().get_new_connection(conn_params)
        connection.create_function("FOLD", 1, fold, deterministic=True)
        return connection
