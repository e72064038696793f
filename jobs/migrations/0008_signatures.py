"""Failed items have the signatures of now: without paths and ids too; and the newest failures have an index."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models, transaction

from jobs.signatures import signature

PORTION = 1000


def sign_again(apps: Any, schema_editor: Any) -> None:
    """A portion of failed items at a time, each in a transaction of its own: nobody waits for all of them."""
    items = apps.get_model("jobs", "Item").objects.using(schema_editor.connection.alias)
    last = 0
    while last is not None:
        last = _sign_portion(items, after=last)


def _sign_portion(items: Any, *, after: int) -> int | None:
    """The last item of the portion; None where there is none. Items that nobody moves meanwhile: they are locked."""
    with transaction.atomic(using=items.db):
        failed = items.filter(status="failed", pk__gt=after).order_by("pk").only("pk", "error", "signature")
        portion = list(failed.select_for_update()[:PORTION])
        stale = [item for item in portion if item.signature != signature(item.error)]
        for item in stale:
            item.signature = signature(item.error)
        items.bulk_update(stale, ["signature"])
    return portion[-1].pk if portion else None


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0007_badge")]

    operations = [
        migrations.AddIndex(
            "item",
            models.Index(
                fields=["-finished_at", "-id"], name="item_failed_lately", condition=models.Q(status="failed")
            ),
        ),
        migrations.RunPython(sign_again, migrations.RunPython.noop),
    ]
