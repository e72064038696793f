"""The version that a worker tells, and what each worker settled in five minutes."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0010_bulk")]

    operations = [
        migrations.AddField("worker", "version", models.CharField(blank=True, default="", max_length=100)),
        migrations.CreateModel(
            name="WorkerTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("worker", models.CharField(max_length=128)),
                ("slot", models.DateTimeField()),
                ("done", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name_plural": "worker tallies",
                "default_permissions": (),
                "indexes": [models.Index(fields=["slot"], name="worker_tally_slot")],
                "constraints": [
                    models.UniqueConstraint(fields=["worker", "slot"], name="worker_tally_once_per_slot")
                ],
            },
        ),
    ]
