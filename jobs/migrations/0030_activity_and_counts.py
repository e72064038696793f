"""Activity, counts that only grow, and an index of jobs for the metrics.

Past acts come from the admin's log, so that the new page begins with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from jobs.db.migration_steps import grant

GRANTED = {"viewer": ["view_activity"], "operator": ["view_activity"], "lead": ["view_activity"]}
ABOUT = {
    "authtoken": "token",
    "user": "account",
    "bulkact": "bulk",
    "inboxmessage": "letter",
    "projectlimit": "project limit",
}
FLAGS = {1: "add", 2: "change", 3: "delete"}
ACT = re.compile(r"([a-z][a-z_]{1,30}): (.*)", re.DOTALL)
BATCH = 1000
ID_DIGITS = 18


def copy_log(apps: Any, schema_editor: Any) -> None:
    """Copy the admin's log, in portions."""
    database = schema_editor.connection.alias
    activity = apps.get_model("jobs", "Activity").objects.using(database)
    for portion in _portions(apps, database):
        activity.bulk_create(portion)


def _portions(apps: Any, database: str) -> Iterator[list[Any]]:
    entries = apps.get_model("admin", "LogEntry").objects.using(database).select_related("user", "content_type")
    jobs = apps.get_model("jobs", "Job").objects.using(database)
    last = 0
    while rows := list(entries.filter(pk__gt=last).order_by("pk")[:BATCH]):
        ids = [int(row.object_id) for row in rows if _is_of_job(row)]
        projects = dict(jobs.filter(pk__in=ids).values_list("pk", "project"))
        yield [_activity(apps.get_model("jobs", "Activity"), row, projects) for row in rows]
        last = rows[-1].pk


def _is_of_job(row: Any) -> bool:
    key = row.object_id or ""
    return row.content_type is not None and row.content_type.model == "job" and key.isdigit() and len(key) <= ID_DIGITS


def _activity(model: Any, row: Any, projects: dict[int, str]) -> Any:
    text, _, reason = row.change_message.partition(" Reason: ")
    match = ACT.fullmatch(text)
    name = row.content_type.model if row.content_type else ""
    job = int(row.object_id) if _is_of_job(row) else None
    return model(
        at=row.action_time,
        account_id=row.user_id,
        actor=row.user.username[:200],
        act=(match[1].replace("_", "-") if match else FLAGS.get(row.action_flag, "change"))[:40],
        about=ABOUT.get(name, name)[:40],
        target=row.object_repr[:200],
        target_id=(row.object_id or "")[:64],
        project=projects.get(job, "") if job else "",
        job_id=job,
        detail=_words(match[2] if match else text)[:2000],
        reason=reason[:2000],
    )


def _words(text: str) -> str:
    """Return the fields of a change that the admin's log has as JSON, or the text as it is."""
    try:
        fields = [name for part in json.loads(text) for change in part.values() for name in change.get("fields", [])]
    except (ValueError, AttributeError, TypeError):
        return text
    return f"Changed: {', '.join(fields)}." if fields else ""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0031_reworking"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=200)),
                ("act", models.CharField(max_length=40)),
                ("about", models.CharField(max_length=40)),
                ("target", models.CharField(blank=True, default="", max_length=200)),
                ("target_id", models.CharField(blank=True, default="", max_length=64)),
                ("project", models.CharField(blank=True, default="", max_length=128)),
                ("job_id", models.BigIntegerField(blank=True, null=True)),
                ("bulk", models.BigIntegerField(blank=True, null=True)),
                ("detail", models.CharField(blank=True, default="", max_length=2000)),
                ("reason", models.CharField(blank=True, default="", max_length=2000)),
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
            ],
            options={
                "verbose_name_plural": "activity",
                "ordering": ["-at", "-id"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="activity_at"),
                    models.Index(fields=["-at", "-id"], name="activity_single", condition=Q(bulk__isnull=True)),
                    models.Index(
                        fields=["job_id", "-at", "-id"], name="activity_job", condition=Q(job_id__isnull=False)
                    ),
                    models.Index(fields=["bulk", "-at", "-id"], name="activity_bulk", condition=Q(bulk__isnull=False)),
                    models.Index(fields=["actor", "-at", "-id"], name="activity_actor"),
                    models.Index(fields=["act", "-at", "-id"], name="activity_act"),
                    models.Index(fields=["project", "-at", "-id"], name="activity_project"),
                    models.Index(fields=["account"], name="activity_account", condition=Q(account__isnull=False)),
                ],
            },
        ),
        migrations.CreateModel(
            name="GrowingCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=100)),
                ("outcome", models.CharField(max_length=40)),
                ("number", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["status", "kind", "project"], name="job_figures", condition=Q(removed_at__isnull=True)
            ),
        ),
        migrations.RunPython(copy_log, migrations.RunPython.noop),
        grant(GRANTED),
    ]
