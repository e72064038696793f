"""Tickets to the live channel."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_inbox")]

    operations = [
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("token", models.CharField(blank=True, default="", max_length=128)),
                ("session_key", models.CharField(blank=True, default="", max_length=40)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["expires_at"], name="ticket_expires")],
            },
        ),
    ]
