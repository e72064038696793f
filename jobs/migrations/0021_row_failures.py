"""The table that counts rows which were set aside by passes over many rows."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Create the model RowFailure."""

    dependencies = [("jobs", "0020_workers_of_accounts")]

    operations = [
        migrations.CreateModel(
            name="RowFailure",
            fields=[
                ("step", models.CharField(max_length=60, primary_key=True, serialize=False)),
                ("number", models.PositiveBigIntegerField()),
                ("failed_at", models.DateTimeField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
