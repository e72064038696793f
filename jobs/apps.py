"""The kernel: jobs, phases, items, and everything that counts them."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class JobsConfig(AppConfig):
    """App configuration of the kernel."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"


class PagesConfig(AdminConfig):
    """The Django admin with the operators' pages as its site."""

    default = False
    default_site = "jobs.admin_site.OperatorSite"
