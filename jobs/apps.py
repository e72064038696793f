"""App configuration of the kernel."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The kernel: jobs, phases and items."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Write messages about each change of an incident, and keep connections out of forked children.

        The models can be imported from here on.
        """
        import_module("jobs.db.forks")
        notices, queue = import_module("jobs.incidents.notices"), import_module("jobs.notifications.queue")
        notices.register(queue.enqueue)
