"""Tickets for websockets without a session cookie.

A ticket is a row until it is used. Deleting the row is using it, so it opens one socket even if several processes
receive it at once.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from jobs.db.deletion import delete
from jobs.live.principals import Principal
from jobs.models import Ticket

LIFETIME = timedelta(seconds=60)
SECRET_BYTES = 32
MAX_LENGTH = 200


def issue(caller: Principal) -> str:
    """Issue a ticket for this principal and return its secret, which is not stored."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    Ticket.objects.create(
        digest=_digest(secret),
        token=caller.token or "",
        session_key="" if caller.token else caller.session_key or "",
        expires_at=timezone.now() + LIFETIME,
    )
    return secret


def redeem(secret: str) -> Principal | None:
    """Use a ticket up and return its principal; None if it is unknown, expired or already used."""
    if len(secret) > MAX_LENGTH:
        return None
    ticket = Ticket.objects.filter(pk=_digest(secret)).first()
    if ticket is None or not Ticket.objects.filter(pk=ticket.pk).delete()[0]:
        return None
    if ticket.expires_at <= timezone.now():
        return None
    return Principal(token=ticket.token or None, session_key=ticket.session_key or None)


def forget(now: datetime | None = None) -> int:
    """Delete expired tickets and return their number. Without any, nothing is written."""
    return delete(Ticket.objects.expired(now or timezone.now()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
