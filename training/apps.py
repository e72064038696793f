"""Training sessions: training, face detection and clustering under one honest number."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from jobs.rules import pipelines


class TrainingConfig(AppConfig):
    """App configuration."""

    name = "training"
    verbose_name = "Training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the pipeline; it stands on the models, which can be loaded only now."""
        pipelines.register(import_string("training.sessions.pipeline.PIPELINE"))
