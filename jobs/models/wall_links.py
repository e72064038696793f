"""Links of the wall: read-only pages for a screen that nobody signs in to."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models

from jobs.models.saved_views import SavedView
from jobs.rules.limits import VIEW_NAME_LENGTH


class WallLinkQuerySet(models.QuerySet["WallLink"]):
    """Querysets of wall links."""

    def valid(self, now: datetime) -> Self:
        """Return the links that are neither revoked nor expired, of accounts that are active."""
        return self.filter(revoked_at=None, expires_at__gt=now, created_by__is_active=True)


class WallLink(models.Model):
    """A link that shows the overview or a saved view of jobs, with the present access of the account that gave it.

    Only the digest of its secret is stored. The link ends with its account, its view, its time, or a revocation.
    """

    label = models.CharField(max_length=VIEW_NAME_LENGTH)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    view = models.ForeignKey(SavedView, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="wall_links")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = WallLinkQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        permissions = [("manage_wall_links", "Can give out and revoke links of the wall")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.label
