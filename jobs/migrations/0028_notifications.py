"""Channels of notifications with their rules and messages, and the permissions to see and to manage them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.deletion import CASCADE, SET_NULL

from jobs.db.migration_steps import grant

VIEW = ["view_channel", "view_notificationrule", "view_notification"]
GRANTED = {"viewer": VIEW, "operator": VIEW, "lead": [*VIEW, "manage_channels"]}


def key() -> tuple[str, models.Field[Any, Any]]:
    """Return the primary key of a table."""
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0027_incidents"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                key(),
                ("name", models.CharField(max_length=200)),
                ("project", models.CharField(blank=True, default="", max_length=128)),
                ("kind", models.CharField(choices=[("apprise", "Apprise"), ("mail", "Mail")], max_length=7)),
                ("address", models.TextField(editable=False)),
                ("masked", models.CharField(max_length=200)),
                ("active", models.BooleanField(default=True)),
                (
                    "account",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, blank=True, null=True, on_delete=SET_NULL, related_name="+"
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("last_result", models.CharField(blank=True, default="", max_length=500)),
                ("last_tried_at", models.DateTimeField(blank=True, null=True)),
                ("sender", models.CharField(blank=True, default="", editable=False, max_length=32)),
                ("sender_until", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "permissions": [
                    ("manage_channels", "Can add, change, test and remove notification channels and their rules")
                ],
                "constraints": [
                    models.CheckConstraint(condition=Q(kind__in=["apprise", "mail"]), name="channel_kind_known"),
                    models.UniqueConstraint(fields=["project", "name"], name="channel_name_once_per_project"),
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationRule",
            fields=[
                key(),
                ("channel", models.ForeignKey("jobs.channel", on_delete=CASCADE, related_name="rules")),
                ("kinds", models.JSONField(blank=True, default=list)),
                ("projects", models.JSONField(blank=True, default=list)),
                ("job_kinds", models.JSONField(blank=True, default=list)),
                ("series", models.CharField(blank=True, default="", max_length=200)),
                ("minimum_age", models.PositiveIntegerField(default=0)),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_to", models.TimeField(blank=True, null=True)),
                ("timezone", models.CharField(default="UTC", max_length=64)),
                ("reminder_interval", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["id"],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                        | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                        name="rule_quiet_hours_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                key(),
                (
                    "channel",
                    models.ForeignKey("jobs.channel", db_index=False, on_delete=CASCADE, related_name="messages"),
                ),
                (
                    "incident",
                    models.ForeignKey("jobs.incident", null=True, on_delete=SET_NULL, related_name="messages"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("reminder", "Reminder"),
                            ("ended", "Ended"),
                            ("test", "Test"),
                        ],
                        max_length=8,
                    ),
                ),
                ("occurrence", models.PositiveIntegerField(default=0)),
                ("number", models.PositiveIntegerField(default=0)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sent", "Sent"),
                            ("dead", "Dead"),
                            ("skipped", "Skipped"),
                        ],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("subject", models.CharField(blank=True, default="", max_length=300)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("result", models.CharField(blank=True, default="", max_length=500)),
                ("digest", models.CharField(blank=True, default="", max_length=32)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["channel", "next_try_at", "id"], name="message_due", condition=Q(status="waiting")
                    ),
                    models.Index(fields=["channel", "-ended_at"], name="message_sent", condition=Q(status="sent")),
                    models.Index(fields=["channel", "-id"], name="message_channel"),
                    models.Index(fields=["status", "-id"], name="message_status"),
                    models.Index(fields=["created_at"], name="message_created"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(state__in=["opened", "reminder", "ended", "test"]), name="message_state_known"
                    ),
                    models.CheckConstraint(
                        condition=Q(status__in=["waiting", "sent", "dead", "skipped"]), name="message_status_known"
                    ),
                    models.UniqueConstraint(
                        fields=["channel", "incident", "state", "occurrence", "number"], name="message_once_per_state"
                    ),
                ],
            },
        ),
        grant(GRANTED),
    ]
