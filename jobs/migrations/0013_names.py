"""Names that are stored already are spelled as new ones are: composed, and without white space at their ends."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, migrations, transaction

from jobs.rules.names import plain

FIELDS = (
    ("Job", "name"),
    ("Job", "project"),
    ("Worker", "name"),
    ("Membership", "project"),
    ("Endpoint", "name"),
    ("Endpoint", "project"),
)


def spell_again(apps: Any, schema_editor: Any) -> None:
    """Row by row where the spelling differs, which is seldom."""
    for model, field in FIELDS:
        respell(apps.get_model("jobs", model).objects.using(schema_editor.connection.alias), field)


def respell(rows: Any, field: str) -> None:
    """One field of a table. A row whose new spelling is taken keeps the old one."""
    found = rows.order_by("pk").values_list("pk", field)
    stale = [(pk, plain(name)) for pk, name in found.iterator() if name != plain(name)]
    for pk, name in stale:
        try:
            with transaction.atomic(using=rows.db):
                rows.filter(pk=pk).update(**{field: name})
        except IntegrityError:
            continue


class Migration(migrations.Migration):
    dependencies = [("jobs", "0012_token_use")]

    operations = [migrations.RunPython(spell_again, migrations.RunPython.noop)]
