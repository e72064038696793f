"""App configurations of the operator console."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AppConfig):
    """The operator console: an app without models."""

    name = "jobs.console"
    label = "console"

    def ready(self) -> None:
        """Record sign-ins. Signals are the only way in which Django and axes tell them."""
        from jobs.console import sign_in_audit

        sign_in_audit.connect()


class OperatorAdminConfig(AdminConfig):
    """The Django admin with the operator console as its site."""

    default = False
    default_site = "jobs.console.site.OperatorSite"
