"""A reopened run whose threshold is met as it begins waits for its new items."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """One column with a constant default: no row is rewritten."""

    dependencies = [("jobs", "0014_heartbeats")]
    operations = [
        migrations.AddField("phase", "waits_for_all", models.BooleanField(default=False)),
    ]
