"""Automatic retries of items, and the history of their attempts. Existing phases have none, existing items no history."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from jobs.db.migration_steps import AddCheckUnvalidated, AddCounter

OUTCOMES = ["failed", "expired", "released", "given_back", "completed", "skipped"]


class Migration(migrations.Migration):
    dependencies = [("jobs", "0022_portions"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField("item", "available_at", models.DateTimeField(blank=True, null=True)),
        AddCounter("item", "failures", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("job", "retries", models.PositiveSmallIntegerField(blank=True, null=True)),
        migrations.AddField("job", "retry_delay", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("job", "retry_delay_max", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("phase", "amending", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("phase", "next_due_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("phase", "retries", models.PositiveSmallIntegerField(db_default=0, default=0)),
        migrations.AddField("phase", "retry_delay", models.PositiveIntegerField(db_default=30, default=30)),
        migrations.AddField("phase", "retry_delay_max", models.PositiveIntegerField(db_default=3600, default=3600)),
        migrations.AddField("phase", "waiting", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddConstraint("phase", models.CheckConstraint(condition=Q(waiting__gte=0), name="phase_waiting_0")),
        AddCheckUnvalidated(
            "item",
            models.CheckConstraint(
                condition=Q(status="pending") | Q(available_at__isnull=True), name="item_waits_only_when_pending"
            ),
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("worker", models.CharField(blank=True, default="", max_length=128)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(choices=[(name, name.replace("_", " ")) for name in OUTCOMES], max_length=10),
                ),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("log", models.TextField(blank=True, default="")),
                ("links", models.JSONField(blank=True, default=list)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="jobs.item",
                    ),
                ),
            ],
            options={"ordering": ["-id"], "default_permissions": ()},
        ),
        migrations.AddIndex("attempt", models.Index(fields=["item", "id"], name="attempt_of_item")),
        migrations.AddConstraint(
            "attempt", models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="attempt_outcome_known")
        ),
    ]
