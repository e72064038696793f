"""One sentence for a database that cannot be reached, in place of a traceback, or that lacks migrations."""

from __future__ import annotations

import time
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

UNAVAILABLE = (OperationalError, InterfaceError)
LOG_EVERY = 60.0

_logged_at: dict[str, float] = {}


def why_unreachable() -> str:
    """Try to connect, beside the pool, which hides the cause. Return the sentence; empty if the database answers."""
    driver: Any = connection.Database  # type: ignore[attr-defined]  # the stubs lack it
    try:
        driver.connect(**connection.get_connection_params()).close()
    except driver.Error as error:
        return sentence(error)
    return ""


def sentence(error: BaseException) -> str:
    """Say which database does not answer, why, and what to do. No password is in it."""
    given = connection.settings_dict
    cause = str(error).partition("\n")[0].rstrip(" .?") or type(error).__name__
    if connection.vendor == "sqlite":
        return (
            f"The database {given['NAME']} cannot be opened: {cause}. Check DATABASE_URL and the rights of its folder."
        )
    place = f"{given['HOST'] or 'the local socket'}:{given['PORT'] or 5432}"
    return (
        f"The database {given['NAME']} at {place} cannot be reached: {cause}. "
        "Check that PostgreSQL runs there, and DATABASE_URL or the parts that replace it."
    )


def missing_migrations() -> str:
    """Return a sentence about migrations that are not applied; empty if none is missing."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied. Run: python manage.py migrate" if missing else ""


def log_failure(log: Any, event: str, error: BaseException, **ids: object) -> None:
    """Log a pass that failed: with its traceback, or once a minute with the sentence if the database is away."""
    why = why_unreachable() if isinstance(error, UNAVAILABLE) else ""
    if not why:
        log.error(event, **ids, exc_info=error)
    elif time.monotonic() - _logged_at.get(event, -LOG_EVERY) >= LOG_EVERY:
        _logged_at[event] = time.monotonic()
        log.error("database_unavailable", why=why, failed=event)
