"""Counts that only grow, for monitoring: deletion, pruning and restarts of jobs do not lower them."""

from __future__ import annotations

from django.db import models

from jobs.rules.limits import ACT_LENGTH, CODE_LENGTH


class GrowingCount(models.Model):
    """Number of failures, or of ends, of jobs of a kind since the database exists; the sum over the shards counts.

    It grows in the transaction of its cause. A process writes only the row of its shard, so that processes rarely
    wait for each other.
    """

    name = models.CharField(max_length=ACT_LENGTH)
    kind = models.CharField(max_length=CODE_LENGTH)
    outcome = models.CharField(max_length=ACT_LENGTH)
    shard = models.PositiveSmallIntegerField()
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["name", "kind", "outcome", "shard"], name="growing_count_once_per_shard")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.outcome} {self.number}"
