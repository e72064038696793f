"""The roles, as groups with their permissions."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from jobs.db.migration_steps import create_own_permissions

MODELS = ["job", "phase", "item", "tally", "event", "worker", "membership", "inboxmessage", "eventcounter"]
VIEWER = [f"view_{model}" for model in MODELS]
OPERATOR = [*VIEWER, "retry_job", "release_job", "skip_job", "pause_job", "resume_job"]
LEAD = [
    *OPERATOR,
    "force_complete_job",
    "fail_job",
    "cancel_job",
    "set_threshold_job",
    "restart_job",
    "manage_tokens",
]
WORKER = ["view_job", "view_phase", "view_item", "add_job", "report_job"]
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "lead": LEAD, "worker": WORKER}


def make_roles(apps: Any, schema_editor: Any) -> None:
    """Create the groups with their permissions."""
    database = schema_editor.connection.alias
    create_own_permissions(apps, database=database)
    groups = apps.get_model("auth", "Group").objects.using(database)
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    for name, codes in ROLES.items():
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*permissions.filter(content_type__app_label="jobs", codename__in=codes))


def drop_roles(apps: Any, schema_editor: Any) -> None:
    """Delete the groups; the accounts in them stay."""
    database = schema_editor.connection.alias
    apps.get_model("auth", "Group").objects.using(database).filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, drop_roles)]
