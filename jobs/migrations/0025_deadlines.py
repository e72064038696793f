"""Due times of jobs, own limits of silence and standstill, the progress that a worker reports of its item."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

from jobs.db.migration_steps import grant

GRANTED = {"operator": ["set_due_job"], "lead": ["set_due_job"]}


def seconds() -> models.PositiveIntegerField:
    """Return a number of seconds that may be missing."""
    return models.PositiveIntegerField(blank=True, null=True)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0024_retries_permission")]

    operations = [
        migrations.AddField("job", "late", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("job", "due_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("job", "expected_seconds", seconds()),
        migrations.AddField("job", "silent_after", seconds()),
        migrations.AddField("job", "stalled_after", seconds()),
        migrations.AddField("job", "silent_limit", seconds()),
        migrations.AddField("job", "stalled_limit", seconds()),
        migrations.AddField("phase", "silent_after", seconds()),
        migrations.AddField("phase", "stalled_after", seconds()),
        migrations.AddField("worker", "progress", models.PositiveSmallIntegerField(blank=True, null=True)),
        migrations.AddIndex(
            "job", models.Index(fields=["-updated_at", "-id"], name="job_late", condition=Q(late=True))
        ),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["due_at"],
                name="job_overdue",
                condition=Q(due_at__isnull=False, late=False, finished_at__isnull=True),
            ),
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
                    ("set_retries_job", "Can change the automatic retries of a phase"),
                    ("set_due_job", "Can change the due time of a job"),
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
