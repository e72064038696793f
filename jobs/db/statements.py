"""Execution of the SQL that `bulk_sql` and `bulk_load` make.

Each call of a worker runs some ten such statements, on SQLite within microseconds. Django's cursors take longer than
that: they look for wrappers, count queries and convert placeholders. So they are used only where a log or a test needs
this.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Rows = list[tuple[Any, ...]]
STATEMENTS = 512  # texts that are kept; a process uses some dozens


def database() -> BaseDatabaseWrapper:
    """Return this thread's connection. `django.db.connection` would look it up again for each of its attributes."""
    return connections[DEFAULT_DB_ALIAS]


def rows(sql: str, parameters: Sequence[Any]) -> Rows:
    """Execute a statement with placeholders `%s`, and return its rows."""
    db = database()
    if _is_watched(db):
        with db.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    with db.wrap_database_errors:
        return list(_execute(db, sql, parameters).fetchall())


def count(sql: str, parameters: Sequence[Any]) -> int:
    """Execute a statement with placeholders `%s`, and return the number of rows that it wrote."""
    db = database()
    if _is_watched(db):
        with db.cursor() as cursor:
            cursor.execute(sql, parameters)
            return int(cursor.rowcount)
    with db.wrap_database_errors:
        return int(_execute(db, sql, parameters).rowcount)


def _is_watched(db: BaseDatabaseWrapper) -> bool:
    """Return whether a test or a log wants to see the statements, or the driver needs Django's cursor."""
    return db.vendor != "sqlite" or db.queries_logged or bool(db.execute_wrappers) or db.connection is None


def _execute(db: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> Any:
    db.validate_no_broken_transaction()
    return db.connection.execute(_with_question_marks(sql), parameters)


@lru_cache(maxsize=STATEMENTS)
def _with_question_marks(sql: str) -> str:
    return sql.replace("%s", "?").replace("%%", "%")
