"""An index for the beginnings of document names."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ocr_chunks", "0002_names")]

    operations = [
        migrations.AddIndex(
            model_name="document",
            index=models.Index(fields=["name"], name="ocr_document_name", opclasses=["varchar_pattern_ops"]),
        ),
    ]
