"""App configuration of the vision pipeline."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from jobs.rules import pipelines


class VisionConfig(AppConfig):
    """The vision pipeline: an app without models."""

    name = "jobs.vision"
    label = "vision"

    def ready(self) -> None:
        """Register the pipeline. It builds on the models, which are loaded only now."""
        pipelines.register(import_string("jobs.vision.pipeline.VISION"))
