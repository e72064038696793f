"""The number of open items of completed jobs that are done again."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery, Sum


def fill(apps: Any, schema_editor: Any) -> None:
    """Count them for the jobs that are being reworked."""
    database = schema_editor.connection.alias
    phases = apps.get_model("jobs", "Phase").objects.using(database).filter(amending=True, status="completed")
    open_items = F("items_total") - F("done") - F("failed") - F("skipped")
    counted = phases.filter(job=OuterRef("pk")).order_by().values("job").annotate(number=Sum(open_items))
    reworked = phases.annotate(open=open_items).filter(open__gt=0).values("job")
    jobs = apps.get_model("jobs", "Job").objects.using(database).filter(status="completed", pk__in=reworked)
    jobs.update(reworking=Subquery(counted.values("number")))


class Migration(migrations.Migration):
    dependencies = [("jobs", "0028_notifications")]

    operations = [
        migrations.AddField("job", "reworking", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
