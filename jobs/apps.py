"""App configuration of the kernel."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The kernel: jobs, phases and items."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
