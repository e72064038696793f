"""App configuration of OCR documents."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from jobs.rules import pipelines


class OcrChunksConfig(AppConfig):
    name = "ocr_chunks"
    verbose_name = "OCR documents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the pipeline, which imports the models and therefore cannot be imported earlier."""
        pipelines.register(import_string("ocr_chunks.documents.pipeline.PIPELINE"))
