"""Tickets for the live channel."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models


class TicketQuerySet(models.QuerySet["Ticket"]):
    """Querysets of unused tickets."""

    def expired(self, now: datetime) -> Self:
        """Return the tickets that are no longer valid."""
        return self.filter(expires_at__lte=now)


class Ticket(models.Model):
    """A ticket that opens one websocket; using it deletes it. Only a hash of its secret is stored.

    It authenticates the caller that requested it: a token by its id, or else a session by its key.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    token = models.CharField(max_length=128, blank=True, default="")
    session_key = models.CharField(max_length=40, blank=True, default="")
    expires_at = models.DateTimeField()

    objects = TicketQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["expires_at"], name="ticket_expires")]

    def __str__(self) -> str:
        return f"until {self.expires_at:%H:%M:%S}"
