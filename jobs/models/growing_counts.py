"""Counts that only grow, for monitoring: deletion, pruning and restarts of jobs do not lower them."""

from __future__ import annotations

from django.db import models

from jobs.rules.limits import ACT_LENGTH, CODE_LENGTH


class GrowingCount(models.Model):
    """A part of the number of failures, or of ends, of jobs of a kind since the database exists; the sum counts.

    Each transaction adds rows of its own, so that none waits for another. The watchdog adds them up into one row.
    """

    name = models.CharField(max_length=ACT_LENGTH)
    kind = models.CharField(max_length=CODE_LENGTH)
    outcome = models.CharField(max_length=ACT_LENGTH)
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.outcome} {self.number}"
