"""The append-only timeline, the order of its rows, and the messages already taken in."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.models.jobs import Job
from jobs.models.phases import Phase


class EventCounter(models.Model):
    """One row that hands out event ids.

    It is locked from the allocation to the commit, so that a lower id never becomes visible after
    a higher one: a reader who continues after the last id that it saw misses nothing.
    """

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)


class EventQuerySet(models.QuerySet["Event"]):
    """Rows of the timeline."""

    def outward(self) -> Self:
        """Only those that are promised to others."""
        return self.filter(outward=True)


class Event(models.Model):
    """One row of the timeline of a job: what happened, who did it, when and why.

    `data` of an outward event is what others receive; that of any other one is detail for people.
    """

    id = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    phase = models.ForeignKey(Phase, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    run = models.PositiveIntegerField(null=True, blank=True)
    type = models.CharField(max_length=120)
    outward = models.BooleanField(default=False)
    at = models.DateTimeField()
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=2000, blank=True, default="")
    detail = models.CharField(max_length=2000, blank=True, default="")
    data = models.JSONField(default=dict, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["job", "-id"], name="event_job"),
            models.Index(fields=["id"], name="event_outward", condition=Q(outward=True)),
        ]

    def __str__(self) -> str:
        return f"{self.type} ({self.event_id})"

    def body(self) -> dict[str, Any]:
        """The outward event as others receive it, the same on every delivery."""
        return {
            "event_id": str(self.event_id),
            "type": self.type,
            "job_id": self.job.name,
            "phase": self.phase.code if self.phase else None,
            "run": self.run,
            "occurred_at": self.at,
            "data": self.data,
        }


class InboxMessage(models.Model):
    """A message that was taken in, remembered by its id so that repeating it changes nothing."""

    source = models.CharField(max_length=120)
    event_id = models.UUIDField()
    digest = models.CharField(max_length=64)
    phase = models.ForeignKey(Phase, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "event_id"], name="inbox_once_per_source")]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"
