"""Saved views of lists, and an index of due times for the list of jobs."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0030_activity_and_counts"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_name", models.CharField(max_length=100)),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=2000)),
                ("shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["name", "id"], "default_permissions": ()},
        ),
        migrations.AddIndex(
            "savedview", models.Index(fields=["list_name"], name="saved_view_shared", condition=Q(shared=True))
        ),
        migrations.AddConstraint(
            "savedview",
            models.UniqueConstraint(fields=["account", "list_name", "name"], name="saved_view_once_per_account"),
        ),
    ]
