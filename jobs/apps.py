"""The kernel: jobs, phases, items, and everything that counts them."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import import_string

from jobs import kinds


class JobsConfig(AppConfig):
    """App configuration of the kernel."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the pipelines that stand on the models; these can be loaded only now."""
        kinds.register(import_string("jobs.vision.VISION"))


class PagesConfig(AdminConfig):
    """The Django admin with the operators' pages as its site."""

    default = False
    default_site = "jobs.admin_site.OperatorSite"
