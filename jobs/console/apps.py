"""App configurations of the operator console."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AppConfig):
    """The operator console: an app without models."""

    name = "jobs.console"
    label = "console"


class OperatorAdminConfig(AdminConfig):
    """The Django admin with the operator console as its site."""

    default = False
    default_site = "jobs.console.site.OperatorSite"
