"""Channels with due messages and without a deliverer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from jobs.models import sender_leases
from jobs.models.notifications import Channel, Notification

HELD_FOR = timedelta(seconds=90)


def channels_due(now: datetime) -> list[Channel]:
    """Return the active channels with due messages and without a deliverer."""
    due = Notification.objects.due(now).filter(channel=OuterRef("pk"))
    return list(Channel.objects.active().filter(sender_leases.free(now), Exists(due)).order_by("pk"))
