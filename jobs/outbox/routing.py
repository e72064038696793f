"""Routing of events to endpoints by type and project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from django.db import connection

from jobs.db import bulk_sql
from jobs.models import Delivery, Endpoint, Event

# The key lock is the one that a delivery's foreign key takes anyway; taken here it makes the removal of an
# endpoint wait, instead of letting the event's transaction fail. It does not conflict with a deliverer's lease.
ACTIVE = "SELECT id, types, project FROM jobs_endpoint WHERE active ORDER BY id"
FIELDS = ("event", "endpoint", "job", "next_try_at", "created_at")


def route(events: Iterable[Event]) -> None:
    """Write the deliveries of these new events, in their transaction; an event may have none."""
    outward = [event for event in events if event.outward]
    endpoints = _active() if outward else []
    deliveries = [
        (event.pk, endpoint.pk, event.job_id, event.at, event.at)
        for event in outward
        for endpoint in endpoints
        if wants(endpoint.types, project=endpoint.project, event=event)
    ]
    bulk_sql.insert(Delivery, deliveries, fields=FIELDS)


def wants(types: Sequence[str], *, project: str, event: Event) -> bool:
    """Return whether an endpoint with these patterns, and this project if any, receives the event."""
    within = not project or project == event.job.project
    return within and any(fnmatchcase(event.type, pattern) for pattern in types)


def _active() -> list[Endpoint]:
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    return list(Endpoint.objects.raw(ACTIVE + lock))
