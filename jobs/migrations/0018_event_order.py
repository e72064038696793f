"""On PostgreSQL event ids come from a sequence, which goes on where the counter row has stopped."""

from __future__ import annotations

from django.db import migrations

from jobs.db.migration_steps import on_postgresql

CREATE = "CREATE SEQUENCE jobs_event_order"
GO_ON = "SELECT setval('jobs_event_order', value) FROM jobs_eventcounter WHERE id = 1 AND value > 0"
GO_BACK = """
    INSERT INTO jobs_eventcounter (id, value) SELECT 1, last_value FROM jobs_event_order
    ON CONFLICT (id) DO UPDATE SET value = GREATEST(jobs_eventcounter.value, EXCLUDED.value)
"""
DROP = "DROP SEQUENCE jobs_event_order"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0017_item_keys")]

    operations = [migrations.RunPython(on_postgresql(CREATE, GO_ON), on_postgresql(GO_BACK, DROP))]
