"""JSON representations of events, in the timeline and in the feed of subscribers, and of acts in the activity."""

from __future__ import annotations

from jobs.models import Activity, Event
from jobs.serializers.shapes import ActivityRow, OutwardEvent, TimelineRow


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


def activity_row(row: Activity) -> ActivityRow:
    """Build a row of the activity; no query."""
    return {
        "id": row.pk,
        "at": row.at,
        "actor": row.actor,
        "act": row.act,
        "about": row.about,
        "target": row.target,
        "project": row.project,
        "job": row.job_id,
        "bulk": row.bulk,
        "detail": row.detail,
        "reason": row.reason,
    }


def outward_event(event: Event) -> OutwardEvent:
    """Build an event of the feed. Load it with its job and phase."""
    return {"id": event.pk, **event.body()}  # type: ignore[typeddict-item]
