"""Leases of deliverers on channels, so that no two send the same message."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from jobs.models.notifications import Channel, Notification

HELD_FOR = timedelta(seconds=90)
# Stored instead of a deliverer's name: a message failed, and the channel is left alone until its next try.
RESTING = "resting"


def channels_due(now: datetime) -> list[Channel]:
    """Return the active channels with due messages and without a deliverer."""
    due = Notification.objects.due(now).filter(channel=OuterRef("pk"))
    free = Q(sender="") | Q(sender_until__lte=now)
    return list(Channel.objects.active().filter(free, Exists(due)).order_by("pk"))


def lease_channel(channel: Channel, *, sender: str, now: datetime) -> bool:
    """Take or renew the lease; return False if another deliverer has it or the channel is not active."""
    free = Q(sender__in=["", sender]) | Q(sender_until__lte=now)
    mine = Channel.objects.active().filter(free, pk=channel.pk)
    return mine.update(sender=sender, sender_until=now + HELD_FOR) == 1


def release_channel(channel: Channel, *, sender: str) -> None:
    """End the lease of this deliverer."""
    Channel.objects.filter(pk=channel.pk, sender=sender).update(sender="", sender_until=None)


def rest(channel: Channel, *, sender: str, until: datetime) -> None:
    """Send nothing to the channel until then, and end the lease of this deliverer."""
    Channel.objects.filter(pk=channel.pk, sender=sender).update(sender=RESTING, sender_until=until)
