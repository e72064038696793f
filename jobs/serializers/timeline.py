"""JSON representations of events: in the timeline, and in the feed of subscribers."""

from __future__ import annotations

from jobs.models import Event
from jobs.serializers.shapes import OutwardEvent, TimelineRow


def timeline_row(event: Event) -> TimelineRow:
    """Build a row of a job's timeline; no query."""
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
    """Build an event of the feed. Load it with its job and phase."""
    return {"id": event.pk, **event.body()}  # type: ignore[typeddict-item]
