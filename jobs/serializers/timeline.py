"""The bodies of events: for people in the timeline, for others in the feed."""

from __future__ import annotations

from jobs.models import Event
from jobs.serializers.shapes import OutwardEvent, TimelineRow


def timeline_row(event: Event) -> TimelineRow:
    """One row of a job's timeline; no query."""
    return {
        "id": event.pk,
        "type": event.type,
        "at": event.at,
        "actor": event.actor,
        "reason": event.reason,
        "detail": event.detail,
        "outward": event.outward,
    }


def outward_event(event: Event) -> OutwardEvent:
    """One event of the feed; load it with its job and phase."""
    return {"id": event.pk, **event.body()}  # type: ignore[typeddict-item]
