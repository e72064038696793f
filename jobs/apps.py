"""The kernel: jobs, phases, items, and everything that counts them."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """App configuration of the kernel."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
