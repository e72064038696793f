"""Quarantine of workers, runs of failures in their tallies, and the permission to lift a quarantine."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from jobs.db.migration_steps import grant

GRANTED = {"operator": ["lift_job"], "lead": ["lift_job"]}


class Migration(migrations.Migration):
    dependencies = [("jobs", "0021_row_failures")]

    operations = [
        migrations.AddField("phase", "quarantined", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("workertally", "failed_in_a_row", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("workertally", "succeeded_at", models.DateTimeField(blank=True, null=True)),
        migrations.CreateModel(
            name="Quarantine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("worker", models.CharField(max_length=128)),
                ("owner", models.BigIntegerField(default=0)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("failures", models.BigIntegerField()),
                (
                    "phase",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quarantines",
                        to="jobs.phase",
                    ),
                ),
            ],
            options={
                "ordering": ["-since", "-id"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["worker", "owner"], name="quarantine_worker")],
                "constraints": [
                    models.UniqueConstraint(fields=["phase", "worker", "owner"], name="quarantine_once_per_phase")
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("report_job", "Can report: announce, add items, claim, report, count, heartbeat"),
                    ("retry_job", "Can retry failed items"),
                    ("release_job", "Can release items from their workers"),
                    ("lift_job", "Can lift quarantines of workers"),
                    ("skip_job", "Can skip items"),
                    ("pause_job", "Can pause jobs"),
                    ("resume_job", "Can resume jobs"),
                    ("force_complete_job", "Can force-complete jobs and phases"),
                    ("fail_job", "Can fail jobs"),
                    ("cancel_job", "Can cancel jobs"),
                    ("set_threshold_job", "Can change the threshold of a phase"),
                    ("restart_job", "Can restart phases"),
                    ("share_job", "Can give out and renew the links of a job's badge"),
                    ("replay_event", "Can deliver outward events again"),
                    ("manage_endpoints", "Can add, change, try and remove endpoints"),
                    ("manage_tokens", "Can issue, rotate and revoke tokens"),
                ],
            },
        ),
        grant(GRANTED),
    ]
