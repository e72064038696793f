"""The app of a chaos run: it lets webhooks go to plain HTTP on this machine, without the costs of DEBUG."""

from __future__ import annotations

from types import SimpleNamespace

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Permission for the endpoints of the run."""

    name = "benchmarks.chaos"
    label = "chaos"

    def ready(self) -> None:
        """Allow http and private addresses for webhooks."""
        from jobs.outbox import url_policy

        url_policy.settings = SimpleNamespace(DEBUG=True, WEBHOOK_ALLOW_PRIVATE=True)  # type: ignore[attr-defined]
