"""The marks of phases whose items a large act moves in portions, and the progress of such an act."""

from __future__ import annotations

from django.db import migrations, models

KINDS = ("", "restart", "restart_failed", "retry", "release")


class Migration(migrations.Migration):
    """Columns with constant defaults: no row is rewritten on PostgreSQL."""

    dependencies = [("jobs", "0021_quarantine")]
    operations = [
        migrations.AddField(
            "phase",
            "moving",
            models.CharField(max_length=14, choices=[(kind, kind) for kind in KINDS], blank=True, default=""),
        ),
        migrations.AddField("phase", "moving_act", models.BigIntegerField(null=True, blank=True)),
        migrations.AddField("bulktarget", "planned", models.PositiveIntegerField(default=0)),
        migrations.AddField("bulktarget", "after", models.BigIntegerField(default=0)),
    ]
