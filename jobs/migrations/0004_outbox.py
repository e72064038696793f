"""Endpoints and deliveries, and who may manage and replay them."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import jobs.models.outbox
from jobs.db.migration_steps import grant

READERS = ["view_endpoint", "view_delivery"]
GRANTED = {"viewer": READERS, "operator": READERS, "lead": [*READERS, "replay_event", "manage_endpoints"]}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("report_job", "Can report: announce, add items, claim, report, count, heartbeat"),
                    ("retry_job", "Can retry failed items"),
                    ("release_job", "Can release items from their workers"),
                    ("skip_job", "Can skip items"),
                    ("pause_job", "Can pause jobs"),
                    ("resume_job", "Can resume jobs"),
                    ("force_complete_job", "Can force-complete jobs and phases"),
                    ("fail_job", "Can fail jobs"),
                    ("cancel_job", "Can cancel jobs"),
                    ("set_threshold_job", "Can change the threshold of a phase"),
                    ("restart_job", "Can restart phases"),
                    ("replay_event", "Can deliver outward events again"),
                    ("manage_endpoints", "Can add, change, try and remove endpoints"),
                    ("manage_tokens", "Can issue, rotate and revoke tokens"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                (
                    "kind",
                    models.CharField(
                        choices=[("webhook", "Webhook"), ("broker", "Broker")], default="webhook", max_length=7
                    ),
                ),
                ("url", models.CharField(max_length=2000)),
                ("types", models.JSONField(blank=True, default=jobs.models.outbox.default_types)),
                ("project", models.CharField(blank=True, default="", max_length=128)),
                ("secret", models.CharField(blank=True, default="", max_length=200)),
                ("previous_secret", models.CharField(blank=True, default="", max_length=200)),
                ("previous_until", models.DateTimeField(blank=True, null=True)),
                ("active", models.BooleanField(default=True)),
                ("disabled_reason", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField()),
                ("sender", models.CharField(blank=True, default="", editable=False, max_length=32)),
                ("sender_until", models.DateTimeField(blank=True, editable=False, null=True)),
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
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("dead", "Dead")],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("response_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="jobs.event",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="jobs.job"
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="jobs.endpoint",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-id"],
            },
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["webhook", "broker"])), name="endpoint_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.UniqueConstraint(fields=("url", "project"), name="endpoint_once_per_project"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "waiting")),
                fields=["endpoint", "next_try_at", "event"],
                name="delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "waiting")), fields=["endpoint", "job", "event"], name="delivery_order"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "waiting")), fields=["created_at"], name="delivery_waiting"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["status", "-id"], name="delivery_status"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["endpoint", "-id"], name="delivery_endpoint"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["waiting", "sent", "dead"])), name="delivery_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(fields=("event", "endpoint"), name="delivery_once_per_endpoint"),
        ),
        grant(GRANTED),
    ]
