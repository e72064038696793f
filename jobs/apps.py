"""App configuration of the kernel."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs, phases and items, and everything that counts them."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
