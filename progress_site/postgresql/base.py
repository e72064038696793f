"""Django's backend for PostgreSQL, with the lock timeout set by a statement, and case by Unicode's rules.

PgBouncer refuses a connection with the startup parameter `options`. So the timeout is set together with the time
zone: once for each connection of the pool.

UPPER depends on the locale of the database: under C it knows only ASCII letters. With a collation of ICU it knows
all letters, whatever the locale.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base, operations

LOCK_TIMEOUT = "3s"
UNICODE = 'COLLATE "und-x-icu"'


class DatabaseOperations(operations.DatabaseOperations):
    """Comparisons without case by the rules of Unicode."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return the SQL of a column in a comparison."""
        cast = str(super().lookup_cast(lookup_type, internal_type))
        return f"UPPER({cast[6:-1]} {UNICODE})" if cast.startswith("UPPER(") else cast


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections with a lock timeout, which the option `lock_timeout` sets."""

    ops_class = DatabaseOperations
    operators = {
        name: operator.replace("UPPER(%s)", f"UPPER(NORMALIZE(%s) {UNICODE})")
        for name, operator in base.DatabaseWrapper.operators.items()
    }

    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters of the driver, which does not know `lock_timeout`."""
        params: dict[str, Any] = super().get_connection_params()
        params.pop("lock_timeout", None)
        return params

    def _configure_connection(self, connection: Any) -> bool:
        super()._configure_connection(connection)  # type: ignore[misc]  # the stubs lack it
        timeout = self.settings_dict["OPTIONS"].get("lock_timeout", LOCK_TIMEOUT)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(timeout)])
        if not connection.autocommit:
            connection.commit()
        return False
