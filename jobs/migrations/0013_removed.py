"""Jobs that are being deleted, portion by portion, are marked first."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0012_token_use")]

    operations = [
        migrations.AddField("job", "removed_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddIndex(
            "job", models.Index(fields=["id"], name="job_removed", condition=models.Q(removed_at__isnull=False))
        ),
    ]
