"""Priority of jobs, limits of leased items of phases and projects, and the permissions to change and to delete.

Existing jobs have priority 0 and no limits. Phases carry the priority of their job: the index of open phases then has
the order of the common claim.
"""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

from jobs.db.migration_steps import grant

OPERATOR = ["set_priority_job", "set_limit_job", "view_projectlimit"]
GRANTED = {
    "viewer": ["view_projectlimit"],
    "operator": OPERATOR,
    "lead": [*OPERATOR, "manage_limits", "delete_job"],
}


class Migration(migrations.Migration):
    dependencies = [("jobs", "0025_deadlines")]

    operations = [
        migrations.AddField("job", "priority", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("phase", "priority", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("phase", "max_leased", models.PositiveIntegerField(blank=True, null=True)),
        migrations.CreateModel(
            name="ProjectLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("project", models.CharField(blank=True, max_length=128, unique=True)),
                ("max_leased", models.PositiveIntegerField()),
            ],
            options={"ordering": ["project"], "default_permissions": ("view",)},
        ),
        migrations.AddIndex("job", models.Index(fields=["priority", "id"], name="job_priority")),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["project", "id"],
                name="job_open_of_project",
                condition=Q(status__in=("pending", "processing", "paused")),
            ),
        ),
        migrations.AddConstraint(
            "job",
            models.CheckConstraint(condition=Q(priority__gte=-100, priority__lte=100), name="job_priority_100"),
        ),
        migrations.RemoveIndex("phase", "phase_open"),
        migrations.AddIndex(
            "phase",
            models.Index(
                fields=["code", "-priority", "id"],
                name="phase_open",
                condition=Q(status__in=["pending", "processing"]),
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
                    ("set_priority_job", "Can change the priority of jobs"),
                    ("set_limit_job", "Can limit the leased items of a phase"),
                    ("set_due_job", "Can change the due time of a job"),
                    ("restart_job", "Can restart phases"),
                    ("share_job", "Can give out and renew the links of a job's badge"),
                    ("manage_limits", "Can limit the leased items of projects"),
                    ("replay_event", "Can deliver outward events again"),
                    ("manage_endpoints", "Can add, change, try and remove endpoints"),
                    ("manage_tokens", "Can issue, rotate and revoke tokens"),
                ],
            },
        ),
        grant(GRANTED),
    ]
