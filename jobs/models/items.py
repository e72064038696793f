"""One unit inside a phase."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.models.phases import Phase
from jobs.signatures import signature
from jobs.statuses import ItemStatus

ERROR_LENGTH = 500


def digest(key: str) -> str:
    """The 128-bit fingerprint by which a key of any length is unique within its phase."""
    return blake2b(key.encode(), digest_size=16).hexdigest()


class ItemQuerySet(models.QuerySet["Item"]):
    """Items, in the words of an operator."""

    def failed(self) -> Self:
        """Items whose outcome is a failure."""
        return self.filter(status=ItemStatus.FAILED)

    def alike(self, error: str) -> Self:
        """Failures with this error: the sentence of one of them, with its digits as #, or their signature."""
        return self.failed().filter(signature=signature(error))

    def held(self) -> Self:
        """Items that somebody is working on."""
        return self.filter(status=ItemStatus.PROCESSING)

    def expired(self, now: datetime) -> Self:
        """Held items whose lease is over."""
        return self.held().filter(lease_expires_at__lt=now)

    def without_live_lease(self, now: datetime) -> Self:
        """Held items whose lease is over or that never had one."""
        return self.held().filter(Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=now))


class Item(models.Model):
    """One unit inside a phase: an image, a frame, a page range. Ordered by its id.

    `attempt` is the fence: it grows with every claim and whenever the item is taken back, and a
    report that carries another one changes nothing. `tries` counts expired leases since the last retry.
    """

    phase = models.ForeignKey(Phase, on_delete=models.CASCADE, related_name="items")
    key = models.CharField(max_length=1024)
    key_digest = models.CharField(max_length=32, editable=False)
    label = models.CharField(max_length=200, blank=True, default="")
    split = models.CharField(max_length=64, blank=True, default="")
    payload = models.JSONField(default=dict, blank=True)

    status = models.CharField(max_length=10, choices=[(s, s.capitalize()) for s in ItemStatus], default="pending")
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=128, blank=True, default="")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    lease_seconds = models.PositiveIntegerField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    signature = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    result = models.JSONField(default=dict, blank=True)
    checksum = models.CharField(max_length=200, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["phase", "status", "id"], name="item_phase_status"),
            models.Index(fields=["status", "id"], name="item_status"),
            models.Index(fields=["lease_expires_at"], name="item_lease", condition=Q(status="processing")),
            models.Index(fields=["phase", "-finished_at", "-id"], name="item_failed", condition=Q(status="failed")),
            models.Index(fields=["-finished_at", "-id"], name="item_failed_lately", condition=Q(status="failed")),
            models.Index(fields=["worker", "phase"], name="item_held", condition=Q(status="processing")),
            models.Index(
                fields=["worker", "-finished_at", "-id"], name="item_failed_by_worker", condition=Q(status="failed")
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["phase", "key_digest"], name="item_key_once_per_phase"),
            models.CheckConstraint(condition=Q(status__in=[*ItemStatus]), name="item_status_known"),
            models.CheckConstraint(
                condition=Q(status="processing") | Q(lease_expires_at__isnull=True), name="item_lease_only_when_held"
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.key
