"""Counts of rows that were set aside by passes over many rows."""

from __future__ import annotations

from django.db import models


class RowFailure(models.Model):
    """The number of failures in one step of a pass, and the time of the latest one."""

    step = models.CharField(max_length=60, primary_key=True)
    number = models.PositiveBigIntegerField()
    failed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.step} {self.number}"
