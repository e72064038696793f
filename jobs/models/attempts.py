"""The attempt history of items: ended attempts, with the logs and links that workers sent."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models

from jobs.models.items import Item
from jobs.rules.limits import ATTEMPTS_KEPT, ERROR_LENGTH, WORKER_LENGTH
from jobs.rules.statuses import AttemptOutcome


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Querysets of attempts."""

    def newest(self, item: Item) -> Self:
        """Return the last ended attempts of an item, newest first."""
        return self.filter(item=item).order_by("-pk")[:ATTEMPTS_KEPT]


class Attempt(models.Model):
    """An ended attempt of an item, apart from the item's row, which every report and claim reads.

    Successes are kept only where the worker sent a log or links. `started_at` is None where the item was not held. An
    attempt whose lease expired and whose worker reported afterwards has two rows.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=WORKER_LENGTH, blank=True, default="")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=[(o, o.replace("_", " ")) for o in AttemptOutcome])
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    log = models.TextField(blank=True, default="")
    links = models.JSONField(default=list, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["item", "id"], name="attempt_of_item")]
        constraints = [
            models.CheckConstraint(condition=models.Q(outcome__in=[*AttemptOutcome]), name="attempt_outcome_known")
        ]

    def __str__(self) -> str:
        return f"{self.item_id} · attempt {self.number}"
