"""Events of the append-only timeline, and messages of the inbox."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.db import event_order
from jobs.models.jobs import Job, projects_of
from jobs.models.phases import Phase
from jobs.rules.limits import EVENT_TYPE_LENGTH, NAME_LENGTH, REASON_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class EventCounter(models.Model):
    """The one row that gives out event ids on SQLite, where there is one writer at a time anyway.

    It is locked from the allocation to the commit, so that a lower id never becomes visible after a higher one. A
    reader that continues after its last id misses nothing. PostgreSQL has a sequence instead: see
    `jobs.db.event_order`.
    """

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)


class EventQuerySet(models.QuerySet["Event"]):
    """Querysets of events."""

    def outward(self) -> Self:
        """Return the events that are sent to subscribers."""
        return self.filter(outward=True)

    def in_feed(self) -> Self:
        """Return the events below every id that may still appear, for readers that continue after their last id."""
        limit = event_order.horizon()
        return self if limit is None else self.filter(pk__lt=limit)


class Event(models.Model):
    """A row of the timeline of a job: its type, time, actor and reason.

    `data` of an outward event is sent to subscribers; that of any other event is detail for people.
    """

    id = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    phase = models.ForeignKey(Phase, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    run = models.PositiveIntegerField(null=True, blank=True)
    type = models.CharField(max_length=EVENT_TYPE_LENGTH)
    outward = models.BooleanField(default=False)
    at = models.DateTimeField()
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    detail = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
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
        """Return the body that subscribers receive, the same on every delivery."""
        phase = self.phase.code if self.phase else None
        job = EventJob(self.job_id, self.job.name, self.job.project, self.job.kind)
        return outward_body(self.event_id, self.type, job, phase, self.run, self.at, self.data)


class EventJob(NamedTuple):
    """The job of an event, as subscribers see it."""

    id: int
    name: str
    project: str
    kind: str

    @property
    def url(self) -> str:
        """The address of the job's page."""
        return f"{settings.PUBLIC_URL}{settings.PATH_PREFIX}/admin/jobs/job/{self.id}/"


def outward_body(
    event_id: UUID, type: str, job: EventJob, phase: str | None, run: int | None, at: datetime, data: dict[str, Any]
) -> dict[str, Any]:
    """Build the body of an outward event from its columns."""
    return {
        "event_id": str(event_id),
        "type": type,
        "job_id": job.name,
        "job": {**job._asdict(), "url": job.url},
        "phase": phase,
        "run": run,
        "occurred_at": at,
        "data": data,
    }


class InboxStatus(StrEnum):
    """The status of a message: applied, refused and waiting as a dead letter, or replayed since."""

    APPLIED = "applied"
    DEAD = "dead"
    REPLAYED = "replayed"


class InboxQuerySet(models.QuerySet["InboxMessage"]):
    """Querysets of messages."""

    def dead(self) -> Self:
        """Return the dead letters: refused messages that wait for a replay."""
        return self.filter(status=InboxStatus.DEAD)

    def letters(self) -> Self:
        """Return the dead letters, and those that were replayed since."""
        return self.filter(status__in=(InboxStatus.DEAD, InboxStatus.REPLAYED))

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return all messages for an account without limits. Dead letters have no project: other accounts see none."""
        projects = projects_of(user)
        return self if projects is None else self.filter(phase__job__project__in=projects)


class InboxMessage(models.Model):
    """A received message. Applied ones are remembered by their id, so that repeating one changes nothing.

    `source` is `broker`, `account/<id>`, or `phase/<id>` for a count or an announcement by REST, followed by `/<run>`
    for a count of a later run. A dead letter has no id of its own: the same text from the same source is one letter,
    with the same `digest`. `payload` is the message ({"raw": text} where it is not a JSON object), `reason` the
    refusal.
    """

    source = models.CharField(max_length=120)
    event_id = models.UUIDField(null=True, blank=True)
    digest = models.CharField(max_length=64)
    type = models.CharField(max_length=EVENT_TYPE_LENGTH, blank=True, default="")
    payload = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=8, choices=[(s, s.capitalize()) for s in InboxStatus], default="applied")
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    phase = models.ForeignKey(Phase, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    received_at = models.DateTimeField()

    objects = InboxQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["status", "-id"], name="inbox_letters", condition=~Q(status="applied")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="inbox_once_per_source"),
            models.UniqueConstraint(fields=["source", "digest"], name="inbox_letter_once", condition=Q(status="dead")),
            models.CheckConstraint(condition=Q(status__in=[*InboxStatus]), name="inbox_status_known"),
            models.CheckConstraint(
                condition=~Q(status="applied") | Q(event_id__isnull=False), name="inbox_applied_has_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type or self.source} {self.event_id or self.pk}"
