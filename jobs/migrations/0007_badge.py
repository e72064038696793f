"""Links of a job's badge, and who may give them out."""

from __future__ import annotations

from django.db import migrations, models

from jobs.db.migration_steps import grant

GRANTED = {"operator": ["share_job"], "lead": ["share_job"]}


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_ticket")]

    operations = [
        migrations.AddField("job", "badge_series", models.PositiveIntegerField(default=0)),
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("report_job", "Can report: announce, add items, claim, report, count, heartbeat"),
                    ("retry_job", "Can retry failed items"),
                    ("release_job", "Can release items from their workers"),
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
