"""Indexes for what needs attention: phases that will fail, and what each worker holds and failed."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("jobs", "0008_signatures")]

    operations = [
        migrations.AddIndex(
            "item", models.Index(fields=["worker", "phase"], name="item_held", condition=Q(status="processing"))
        ),
        migrations.AddIndex(
            "item",
            models.Index(
                fields=["worker", "-finished_at", "-id"], name="item_failed_by_worker", condition=Q(status="failed")
            ),
        ),
        migrations.AddIndex(
            "phase",
            models.Index(
                fields=["job"],
                name="phase_failing",
                condition=Q(on_shortfall="fail", failed__gt=0, status__in=["pending", "processing"]),
            ),
        ),
    ]
