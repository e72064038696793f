"""Heartbeats of the site's own background processes."""

from __future__ import annotations

from django.db import models

from jobs.rules.limits import NAME_LENGTH


class ProcessHeartbeat(models.Model):
    """The last heartbeat of one watchdog or deliverer process; `name` is its host and process id."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=NAME_LENGTH)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="process_heartbeat_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
