"""Items are found by key whatever the planner believes of their phase, and large tables are analysed early.

The index of keys begins with the key and holds the phase as an expression, so that nothing but this index can answer
it. The index of statuses, which is for lists over all jobs, holds the status as an expression, so that it cannot be
taken for the items of one phase. The index of a phase in the order of ids takes the place of that of the foreign key.
On PostgreSQL a table of items that grows by 1 % is analysed, instead of one that grows by 10 %.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Func

from jobs.db.migration_steps import RemoveConstraintWithNextRebuild, on_postgresql

ANALYSE_OFTEN = """
    ALTER TABLE jobs_item SET (autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000)
"""
ANALYSE_BY_DEFAULT = "ALTER TABLE jobs_item RESET (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0016_removed")]

    operations = [
        RemoveConstraintWithNextRebuild("item", "item_key_once_per_phase"),
        migrations.AlterField(
            "item",
            "phase",
            models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="items", to="jobs.phase"
            ),
        ),
        migrations.AddConstraint(
            "item",
            models.UniqueConstraint(
                F("key_digest"),
                Func(F("phase"), template="(%(expressions)s + 0)", output_field=models.BigIntegerField()),
                name="item_key_once_per_phase",
            ),
        ),
        migrations.RemoveIndex("item", "item_status"),
        migrations.AddIndex(
            "item",
            models.Index(
                Func(F("status"), template="(%(expressions)s || '')", output_field=models.CharField()),
                F("id"),
                name="item_status",
            ),
        ),
        migrations.AddIndex(
            "item",
            models.Index(
                Func(F("phase"), template="(%(expressions)s * 1)", output_field=models.BigIntegerField()),
                F("id"),
                name="item_in_order",
            ),
        ),
        migrations.RunPython(on_postgresql(ANALYSE_OFTEN), on_postgresql(ANALYSE_BY_DEFAULT)),
    ]
