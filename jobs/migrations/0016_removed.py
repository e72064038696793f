"""Jobs that are being deleted, portion by portion, are marked first."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0015_phase_waits_for_all")]

    operations = [
        migrations.AddField("job", "removed_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddIndex(
            "job", models.Index(fields=["id"], name="job_removed", condition=models.Q(removed_at__isnull=False))
        ),
    ]
