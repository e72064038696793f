"""OCR documents: page ranges, an honest percent, one merge."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from jobs.rules import pipelines


class OcrChunksConfig(AppConfig):
    """App configuration."""

    name = "ocr_chunks"
    verbose_name = "OCR documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the pipeline; it stands on the models, which can be loaded only now."""
        pipelines.register(import_string("ocr_chunks.documents.pipeline.PIPELINE"))
