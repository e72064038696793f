"""App configuration of training sessions."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from jobs.rules import pipelines


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = "Training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the pipeline, which imports the models and therefore cannot be imported earlier."""
        pipelines.register(import_string("training.sessions.pipeline.PIPELINE"))
