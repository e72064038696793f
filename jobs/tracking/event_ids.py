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
    fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    known = InboxMessage.objects.filter(source=source, event_id=event_id).first()
    if known is None:
        InboxMessage.objects.create(
            source=source, event_id=event_id, digest=fingerprint, phase=phase, received_at=change.now
        )
        return True
    if known.digest != fingerprint and not any_body:
        raise Conflict(
            f"event_id {event_id} was used for other numbers. Send a new one with each new count.",
            code="event_id_reused",
        )
    return False
