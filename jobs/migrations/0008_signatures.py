"""Failed items have the signatures of now: without paths and ids too; and the newest failures have an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import migrations, models

from jobs.rules.error_fingerprints import signature

PORTION = 10_000
Change = tuple[int, str, str]

# The old signature guards the update: an item that another process changes meanwhile keeps what that process wrote.
UPDATES = {
    "postgresql": """
        UPDATE jobs_item SET signature = r.value->>2 FROM jsonb_array_elements(%s::jsonb) AS r(value)
        WHERE jobs_item.id = (r.value->>0)::bigint AND jobs_item.signature || '' = r.value->>1
        AND jobs_item.status || '' = 'failed'
    """,
    "sqlite": """
        UPDATE jobs_item SET signature = json_extract(r.value, '$[2]') FROM json_each(%s) AS r
        WHERE jobs_item.id = json_extract(r.value, '$[0]') AND +jobs_item.signature = json_extract(r.value, '$[1]')
        AND +jobs_item.status = 'failed'
    """,
}


def sign_again(apps: Any, schema_editor: Any) -> None:
    """Go through the failed items in portions: one SELECT and one UPDATE each, which is a transaction of its own."""
    database = schema_editor.connection
    items = apps.get_model("jobs", "Item").objects.using(database.alias)
    failed = items.filter(status="failed").order_by("pk").values_list("pk", "error", "signature")
    last = 0
    while portion := list(failed.filter(pk__gt=last)[:PORTION]):
        last = portion[-1][0]
        _write(database, _stale(portion))


def _stale(portion: Sequence[Change]) -> list[Change]:
    """The items whose signature is another one now; like errors are looked at once."""
    signatures = {error: signature(error) for error in {error for _, error, _ in portion}}
    return [(pk, stored, signatures[error]) for pk, error, stored in portion if stored != signatures[error]]


def _write(database: Any, stale: Sequence[Change]) -> None:
    if stale:
        with database.cursor() as cursor:
            cursor.execute(UPDATES[database.vendor], [json.dumps(stale)])


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
