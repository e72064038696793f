"""Heartbeats of background processes, failures of a worker in a row, and an index of all phases with failed items."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0013_names")]

    operations = [
        migrations.CreateModel(
            name="ProcessHeartbeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=200)),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=["kind", "name"], name="process_heartbeat_once")],
            },
        ),
        migrations.AddField("worker", "failed_in_a_row", models.BigIntegerField(default=0)),
        migrations.RemoveIndex("phase", "phase_failing"),
        migrations.AddIndex(
            "phase",
            models.Index(
                fields=["job"],
                name="phase_failing",
                condition=Q(failed__gt=0, status__in=["pending", "processing"]),
            ),
        ),
    ]
