"""Leases of deliverers on the endpoint or channel that they send to, so that no two send the same message.

The name of the deliverer and the end of its lease are in the receiver's row. When the lease has passed, because the
deliverer died, another one takes over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from jobs.models.notifications import Channel
from jobs.models.outbox import Endpoint

# Stored instead of a deliverer's name: the receiver is left alone until the end of the lease.
RESTING = "resting"


def free(now: datetime) -> Q:
    """Return the condition of a receiver without a deliverer."""
    return Q(sender="") | Q(sender_until__lte=now)


def lease(receiver: Endpoint | Channel, *, sender: str, now: datetime, length: timedelta) -> bool:
    """Take or renew the lease; return False if another deliverer has it or the receiver is not active."""
    mine = type(receiver).objects.active().filter(free(now) | Q(sender=sender), pk=receiver.pk)
    return mine.update(sender=sender, sender_until=now + length) == 1


def release(receiver: Endpoint | Channel, *, sender: str) -> None:
    """End the lease of this deliverer."""
    type(receiver).objects.filter(pk=receiver.pk, sender=sender).update(sender="", sender_until=None)


def rest(receiver: Endpoint | Channel, *, sender: str, until: datetime) -> None:
    """Send nothing to the receiver until then, and end the lease of this deliverer."""
    type(receiver).objects.filter(pk=receiver.pk, sender=sender).update(sender=RESTING, sender_until=until)
