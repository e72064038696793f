"""Names of documents are spelled as those of their jobs: composed, and without white space at their ends."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, migrations, transaction

from jobs.rules.names import plain


def spell_again(apps: Any, schema_editor: Any) -> None:
    """Row by row where the spelling differs, which is seldom. One whose new spelling is taken keeps the old one."""
    rows = apps.get_model("ocr_chunks", "Document").objects.using(schema_editor.connection.alias)
    found = rows.order_by("pk").values_list("pk", "project", "name")
    stale = [(pk, each) for pk, *each in found.iterator() if each != [plain(text) for text in each]]
    for pk, (project, name) in stale:
        try:
            with transaction.atomic(using=rows.db):
                rows.filter(pk=pk).update(project=plain(project), name=plain(name))
        except IntegrityError:
            continue


class Migration(migrations.Migration):
    dependencies = [("ocr_chunks", "0001_initial")]

    operations = [migrations.RunPython(spell_again, migrations.RunPython.noop)]
