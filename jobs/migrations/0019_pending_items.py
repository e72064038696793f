"""An index for claims on PostgreSQL: the pending items of a phase in the order of their ids.

The id is stored as an expression, so that the primary key cannot answer the order. Otherwise the planner may walk the
primary key through the items of all older phases to find the first pending ones.
"""

from __future__ import annotations

from django.db import migrations

from jobs.db.migration_steps import on_postgresql

CREATE = "CREATE INDEX item_pending ON jobs_item (phase_id, (id + 0)) WHERE status = 'pending'"
DROP = "DROP INDEX item_pending"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0018_event_order")]

    operations = [migrations.RunPython(on_postgresql(CREATE), on_postgresql(DROP))]
