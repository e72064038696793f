"""A worker is a name under an account, with the project of its last job; its tallies know their phase.

Messages and runs of failures that are stored already may come from another project or account of the same name, so
they begin anew. The tallies of the last seven days keep their numbers without a phase: only accounts that see every
project count them.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce


def give_to_accounts(apps: Any, schema_editor: Any) -> None:
    """Fill the new columns: the account and the project of each worker, and the account of each tally."""
    alias = schema_editor.connection.alias
    worker, tally, job = (apps.get_model("jobs", name) for name in ("Worker", "WorkerTally", "Job"))
    project = Subquery(job.objects.filter(pk=OuterRef("job")).values("project"))
    worker.objects.using(alias).update(
        owner=Coalesce(F("account"), Value(0)), project=Coalesce(project, Value("")), message="", failed_in_a_row=0
    )
    owner = Subquery(worker.objects.filter(name=OuterRef("worker")).values("owner")[:1])
    tally.objects.using(alias).update(owner=Coalesce(owner, Value(0)))


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0019_pending_items"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("worker", "owner", models.BigIntegerField(default=0)),
        migrations.AddField("worker", "project", models.CharField(blank=True, default="", max_length=128)),
        migrations.AddField("workertally", "owner", models.BigIntegerField(default=0)),
        migrations.AddField(
            "workertally",
            "phase",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="jobs.phase",
            ),
        ),
        migrations.RunPython(give_to_accounts, migrations.RunPython.noop),
        migrations.AlterField("worker", "name", models.CharField(max_length=128)),
        migrations.AddConstraint(
            "worker", models.UniqueConstraint(fields=["name", "owner"], name="worker_once_per_account")
        ),
        migrations.RemoveConstraint("workertally", "worker_tally_once_per_slot"),
        migrations.AddConstraint(
            "workertally",
            models.UniqueConstraint(
                fields=["worker", "owner", "slot", "phase"], name="worker_tally_once_per_slot"
            ),
        ),
        migrations.AddIndex("workertally", models.Index(fields=["phase", "slot"], name="worker_tally_phase")),
    ]
