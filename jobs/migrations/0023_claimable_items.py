"""Indexes of claims: the items of a phase that never wait in their order, and the waiting ones by their time.

They take the place of `item_pending`, which PostgreSQL alone had, and through which a claim would read every waiting
item. The order is an expression, so that the primary key cannot answer it.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F, Func, Q

from jobs.db.migration_steps import POSTGRESQL, AddIndexOnline, drop_index_online, validate_check

CREATE = "CREATE INDEX CONCURRENTLY item_pending ON jobs_item (phase_id, (id + 0)) WHERE status = 'pending'"
ID = Func(F("id"), template="(%(expressions)s + 0)", output_field=models.BigIntegerField())


def finish(apps: Any, schema_editor: Any) -> None:
    """Validate the check of the migration before, and drop the replaced index."""
    if schema_editor.connection.vendor == POSTGRESQL:
        validate_check(schema_editor, "jobs_item", "item_waits_only_when_pending")
        drop_index_online(schema_editor, "item_pending")


def restore(apps: Any, schema_editor: Any) -> None:
    """Create the replaced index again."""
    if schema_editor.connection.vendor == POSTGRESQL:
        schema_editor.execute(CREATE)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0022_retries")]

    operations = [
        AddIndexOnline(
            "item", models.Index(F("phase"), ID, name="item_ready", condition=Q(status="pending", available_at__isnull=True))
        ),
        AddIndexOnline(
            "item",
            models.Index(fields=["phase", "available_at", "id"], name="item_waiting", condition=Q(available_at__isnull=False)),
        ),
        migrations.RunPython(finish, restore),
    ]
