"""Dead letters beside the messages that were applied; the threshold that a job's creator set for all its phases."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_outbox")]

    operations = [
        migrations.AlterModelOptions(name="inboxmessage", options={"ordering": ["-id"]}),
        migrations.AlterField("inboxmessage", "event_id", models.UUIDField(blank=True, null=True)),
        migrations.AddField("inboxmessage", "type", models.CharField(blank=True, default="", max_length=120)),
        migrations.AddField("inboxmessage", "payload", models.JSONField(blank=True, default=dict)),
        migrations.AddField(
            "inboxmessage",
            "status",
            models.CharField(
                choices=[("applied", "Applied"), ("dead", "Dead"), ("replayed", "Replayed")],
                default="applied",
                max_length=8,
            ),
        ),
        migrations.AddField("inboxmessage", "reason", models.CharField(blank=True, default="", max_length=2000)),
        migrations.AddField("job", "threshold", models.PositiveSmallIntegerField(blank=True, null=True)),
        migrations.AddIndex(
            "inboxmessage",
            models.Index(condition=~Q(status="applied"), fields=["status", "-id"], name="inbox_letters"),
        ),
        migrations.AddConstraint(
            "inboxmessage",
            models.UniqueConstraint(condition=Q(status="dead"), fields=("source", "digest"), name="inbox_letter_once"),
        ),
        migrations.AddConstraint(
            "inboxmessage",
            models.CheckConstraint(condition=Q(status__in=["applied", "dead", "replayed"]), name="inbox_status_known"),
        ),
        migrations.AddConstraint(
            "inboxmessage",
            models.CheckConstraint(
                condition=~Q(status="applied") | Q(event_id__isnull=False), name="inbox_applied_has_id"
            ),
        ),
    ]
