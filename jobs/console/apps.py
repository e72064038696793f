"""App configurations of the operator console."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The operator console: an app without models."""

    name = "jobs.console"
    label = "console"
