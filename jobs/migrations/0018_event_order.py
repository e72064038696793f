"""On PostgreSQL event ids come from a sequence, which goes on where the counter row has stopped."""

from __future__ import annotations

from typing import Any

from django.db import migrations

CREATE = "CREATE SEQUENCE jobs_event_order"
GO_ON = "SELECT setval('jobs_event_order', value) FROM jobs_eventcounter WHERE id = 1 AND value > 0"
GO_BACK = """
    INSERT INTO jobs_eventcounter (id, value) SELECT 1, last_value FROM jobs_event_order
    ON CONFLICT (id) DO UPDATE SET value = GREATEST(jobs_eventcounter.value, EXCLUDED.value)
"""
DROP = "DROP SEQUENCE jobs_event_order"


def on_postgresql(*statements: str) -> Any:
    """Return a step that runs these statements on PostgreSQL and does nothing elsewhere."""

    def run(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for sql in statements:
                schema_editor.execute(sql)

    return run


class Migration(migrations.Migration):
    dependencies = [("jobs", "0017_item_keys")]

    operations = [migrations.RunPython(on_postgresql(CREATE, GO_ON), on_postgresql(GO_BACK, DROP))]
