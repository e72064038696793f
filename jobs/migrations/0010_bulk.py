"""Bulk acts with their jobs; everybody who reads sees them."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

from jobs.db.migration_steps import grant

GRANTED = {"viewer": ["view_bulkact"], "operator": ["view_bulkact"], "lead": ["view_bulkact"]}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0009_attention"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("actor", models.CharField(max_length=200)),
                ("act", models.CharField(max_length=20)),
                ("scope", models.JSONField(blank=True, default=dict)),
                ("chosen", models.CharField(blank=True, default="", max_length=500)),
                ("reason", models.CharField(blank=True, default="", max_length=2000)),
                ("back", models.TextField(blank=True, default="")),
                (
                    "status",
                    models.CharField(
                        choices=[("running", "Running"), ("finished", "Finished"), ("stopped", "Stopped")],
                        default="running",
                        max_length=8,
                    ),
                ),
                ("ended_by", models.CharField(blank=True, default="", max_length=200)),
                ("total", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("worked_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-id"], "default_permissions": ("view",)},
        ),
        migrations.CreateModel(
            name="BulkTarget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=200)),
                ("states", models.CharField(max_length=16)),
                ("items", models.JSONField(blank=True, null=True)),
                ("was", models.CharField(max_length=10)),
                ("became", models.CharField(blank=True, default="", max_length=10)),
                ("outcome", models.CharField(blank=True, default="", max_length=9)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("detail", models.CharField(blank=True, default="", max_length=2000)),
                ("refusals", models.JSONField(blank=True, default=dict)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "bulk",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="targets",
                        to="jobs.bulkact",
                    ),
                ),
            ],
            options={"ordering": ["id"], "default_permissions": ()},
        ),
        migrations.AddIndex(
            "bulkact", models.Index(condition=Q(status="running"), fields=["id"], name="bulk_running")
        ),
        migrations.AddIndex("bulkact", models.Index(fields=["created_at"], name="bulk_created")),
        migrations.AddConstraint(
            "bulkact",
            models.CheckConstraint(condition=Q(status__in=["running", "finished", "stopped"]), name="bulk_status_known"),
        ),
        migrations.AddConstraint(
            "bulkact",
            models.CheckConstraint(
                condition=Q(total__gte=F("done") + F("unchanged") + F("refused")), name="bulk_no_more_than_total"
            ),
        ),
        migrations.AddIndex(
            "bulktarget", models.Index(condition=Q(outcome=""), fields=["bulk", "id"], name="bulk_target_open")
        ),
        migrations.AddConstraint(
            "bulktarget", models.UniqueConstraint(fields=("bulk", "job_id"), name="bulk_job_once")
        ),
        migrations.AddConstraint(
            "bulktarget",
            models.CheckConstraint(
                condition=Q(outcome__in=["", "changed", "unchanged", "refused"]), name="bulk_outcome_known"
            ),
        ),
        grant(GRANTED),
    ]
