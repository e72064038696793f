"""Incidents with their jobs and history, and the permissions to work them off.

Incidents of the present state are opened by the watchdog's next pass.
"""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from jobs.db.migration_steps import grant


OPERATOR = ["view_incident", "acknowledge_incident", "assign_incident", "snooze_incident", "resolve_incident"]
GRANTED = {"viewer": ["view_incident"], "operator": OPERATOR, "lead": OPERATOR}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0027_items_of_claims"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("watchdog_silent", "Watchdog silent"),
                            ("job_stuck", "Stuck"),
                            ("job_late", "Late"),
                            ("errors", "Errors"),
                            ("job_failed", "Failed"),
                            ("delivery_lag", "Deliveries delayed"),
                            ("endpoint_failing", "Endpoint failing"),
                            ("channel_failing", "Channel failing"),
                            ("dead_letters", "Dead letters"),
                            ("worker_gone", "Worker gone"),
                            ("worker_quarantined", "Worker quarantined"),
                        ],
                        max_length=20,
                    ),
                ),
                ("project", models.CharField(blank=True, default="", max_length=128)),
                ("cause", models.CharField(blank=True, default="", max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("snoozed", "Snoozed"),
                            ("resolved", "Resolved"),
                        ],
                        default="open",
                        max_length=12,
                    ),
                ),
                ("title", models.CharField(max_length=300)),
                ("detail", models.CharField(blank=True, default="", max_length=2000)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("subjects", models.PositiveIntegerField(default=0)),
                ("worst", models.PositiveSmallIntegerField(default=0)),
                ("reopened", models.PositiveIntegerField(default=0)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("opened_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("ended_by", models.CharField(blank=True, default="", max_length=200)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("snoozed_until", models.DateTimeField(blank=True, null=True)),
                ("snoozed_at_subjects", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "assignee",
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
                "permissions": [
                    ("acknowledge_incident", "Can acknowledge incidents"),
                    ("assign_incident", "Can assign incidents"),
                    ("snooze_incident", "Can snooze incidents"),
                    ("resolve_incident", "Can resolve incidents"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="IncidentEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(blank=True, default="", max_length=200)),
                ("act", models.CharField(max_length=20)),
                ("detail", models.CharField(blank=True, default="", max_length=2000)),
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
                (
                    "incident",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="jobs.incident",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "incident entries",
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="IncidentJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("joined_at", models.DateTimeField()),
                ("left_at", models.DateTimeField(blank=True, null=True)),
                (
                    "incident",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="jobs.incident",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="incident_rows", to="jobs.job"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["-worst", "opened_at", "id"],
                name="incident_ongoing",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False)), fields=["-ended_at", "-id"], name="incident_over"
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(fields=["kind", "project", "cause", "-ended_at"], name="incident_cause"),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("kind", "project", "cause"),
                name="incident_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "job_stuck",
                            "job_failed",
                            "job_late",
                            "worker_quarantined",
                            "worker_gone",
                            "errors",
                            "endpoint_failing",
                            "dead_letters",
                            "delivery_lag",
                            "watchdog_silent",
                            "channel_failing",
                        ],
                    )
                ),
                name="incident_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "acknowledged", "snoozed", "resolved"])),
                name="incident_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(("ended_at__isnull", True), ("state", "resolved"), _connector="XOR"),
                name="incident_over_is_resolved",
            ),
        ),
        migrations.AddIndex(
            model_name="incidententry",
            index=models.Index(fields=["incident", "id"], name="incident_entry"),
        ),
        migrations.AddIndex(
            model_name="incidentjob",
            index=models.Index(
                condition=models.Q(("left_at__isnull", True)), fields=["incident", "id"], name="incident_job_present"
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentjob",
            constraint=models.UniqueConstraint(fields=("incident", "job"), name="incident_job_once"),
        ),
        grant(GRANTED),
    ]
