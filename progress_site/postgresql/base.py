"""Django's backend for PostgreSQL, with the lock timeout set by a statement, and case by Unicode's rules.

PgBouncer refuses a connection with the startup parameter `options`. So the timeout is set together with the time
zone: once for each connection of the pool.

Behind a pooler that gives a connection only for a transaction (`transaction_pooling`), a SET would stay with whichever
connection ran it. There each transaction begins with its own timeout.

UPPER depends on the locale of the database: under C it knows only ASCII letters. With a collation of ICU it knows
all letters, whatever the locale.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base, operations

LOCK_TIMEOUT = "3s"
OWN_OPTIONS = ("lock_timeout", "transaction_pooling")
UNICODE = 'COLLATE "und-x-icu"'


class DatabaseOperations(operations.DatabaseOperations):
    """Comparisons without case by the rules of Unicode."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return the SQL of a column in a comparison."""
        cast = str(super().lookup_cast(lookup_type, internal_type))
        return f"UPPER({cast[6:-1]} {UNICODE})" if cast.startswith("UPPER(") else cast


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections with a lock timeout, which the option `lock_timeout` sets; or transactions with one."""

    ops_class = DatabaseOperations
    operators = {
        name: operator.replace("UPPER(%s)", f"UPPER(NORMALIZE(%s) {UNICODE})")
        for name, operator in base.DatabaseWrapper.operators.items()
    }

    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters of the driver, which does not know our own options."""
        params: dict[str, Any] = super().get_connection_params()
        return {name: value for name, value in params.items() if name not in OWN_OPTIONS}

    def _configure_connection(self, connection: Any) -> bool:
        super()._configure_connection(connection)  # type: ignore[misc]  # the stubs lack it
        if not self._pools_transactions:
            self._limit_waiting(connection, for_transaction=False)
        if not connection.autocommit:
            connection.commit()
        return False

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs lack it
        if not autocommit and self._pools_transactions:
            self._limit_waiting(self.connection, for_transaction=True)

    @property
    def _pools_transactions(self) -> bool:
        return bool(self.settings_dict["OPTIONS"].get("transaction_pooling"))

    def _limit_waiting(self, connection: Any, *, for_transaction: bool) -> None:
        timeout = self.settings_dict["OPTIONS"].get("lock_timeout", LOCK_TIMEOUT)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, %s)", [str(timeout), for_transaction])
