"""Ids that workers send with a call, remembered so that repeating the call changes nothing."""

from __future__ import annotations

import hashlib
import json
from uuid import UUID

from jobs.change import Change
from jobs.models import InboxMessage, Phase
from jobs.rules.errors import Conflict


def first_time(
    change: Change, phase: Phase, event_id: UUID, body: dict[str, int], *, source: str, any_body: bool = False
) -> bool:
    """Remember the event_id for this source; return False where it is known already with the same body."""
    if is_known(event_id, body, source=source, any_body=any_body):
        return False
    remember(change, phase, event_id, body, source=source)
    return True


def is_known(event_id: UUID, body: dict[str, int], *, source: str, any_body: bool = False) -> bool:
    """Return whether the event_id came before; Conflict where it came with another body."""
    known = InboxMessage.objects.filter(source=source, event_id=event_id).first()
    if known is None:
        return False
    if known.digest != _fingerprint(body) and not any_body:
        raise Conflict(
            f"event_id {event_id} was used for other numbers. Send a new one with each new count.",
            code="event_id_reused",
        )
    return True


def remember(change: Change, phase: Phase, event_id: UUID, body: dict[str, int], *, source: str) -> None:
    """Remember the event_id for this source."""
    InboxMessage.objects.create(
        source=source, event_id=event_id, digest=_fingerprint(body), phase=phase, received_at=change.now
    )


def _fingerprint(body: dict[str, int]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
