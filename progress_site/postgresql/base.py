"""Django's backend for PostgreSQL, with the lock timeout set by a statement.

PgBouncer refuses a connection with the startup parameter `options`. So the timeout is set where Django sets the time
zone: once for each connection of the pool.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

LOCK_TIMEOUT = "20s"


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections on which whoever waits too long for a lock gets an error; the option `lock_timeout` says how long."""

    def get_connection_params(self) -> dict[str, Any]:
        """What the driver knows; `lock_timeout` is not among it."""
        params: dict[str, Any] = super().get_connection_params()
        params.pop("lock_timeout", None)
        return params

    def _configure_connection(self, connection: Any) -> bool:
        super()._configure_connection(connection)
        timeout = self.settings_dict["OPTIONS"].get("lock_timeout", LOCK_TIMEOUT)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(timeout)])
        if not connection.autocommit:
            connection.commit()
        return False
