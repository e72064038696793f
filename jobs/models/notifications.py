"""Channels of notifications, the rules that choose their incidents, and the messages."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.models.incidents import Incident
from jobs.rules.limits import ERROR_LENGTH, NAME_LENGTH, PROJECT_LENGTH

MASK_LENGTH = 200
SUBJECT_LENGTH = 300
ZONE_LENGTH = 64


class ChannelKind(StrEnum):
    """The kind of a channel: one Apprise address, or mail addresses of this site's own mail server."""

    APPRISE = "apprise"
    MAIL = "mail"


class MessageState(StrEnum):
    """The state of an incident that a message is about, or a test."""

    OPENED = "opened"
    REMINDER = "reminder"
    ENDED = "ended"
    TEST = "test"


class MessageStatus(StrEnum):
    """The status of a message: waiting for its time, accepted by the service, given up, or no longer needed."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


class ChannelQuerySet(models.QuerySet["Channel"]):
    """Querysets of channels."""

    def active(self) -> Self:
        """Return the channels that get new messages."""
        return self.filter(active=True)


class Channel(models.Model):
    """An address of people: where messages about incidents go.

    With a `project` it gets only the incidents of that project. `address` is encrypted; `masked` is the form of it that
    pages, REST, logs and exports show. `failures` counts failed sendings in a row since `failing_since`. `sender` is
    the deliverer that sends to it until `sender_until`, so that no two send the same message.
    """

    name = models.CharField(max_length=NAME_LENGTH)
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    kind = models.CharField(max_length=7, choices=[(k, k.capitalize()) for k in ChannelKind])
    address = models.TextField(editable=False)
    masked = models.CharField(max_length=MASK_LENGTH)
    active = models.BooleanField(default=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_result = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    last_tried_at = models.DateTimeField(null=True, blank=True)
    sender = models.CharField(max_length=32, blank=True, default="", editable=False)
    sender_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("manage_channels", "Can add, change, test and remove notification channels and their rules")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=[*ChannelKind]), name="channel_kind_known"),
            models.UniqueConstraint(fields=["project", "name"], name="channel_name_once_per_project"),
        ]

    def __str__(self) -> str:
        return self.name


class NotificationRule(models.Model):
    """A rule that sends incidents to a channel. Empty lists and texts mean all.

    `series` is a pattern of job names, such as `nightly-*`. Nothing is sent between `quiet_from` and `quiet_to` in
    `timezone`. Durations are seconds; without a `reminder_interval` nothing is repeated.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="rules")
    kinds = models.JSONField(default=list, blank=True)
    projects = models.JSONField(default=list, blank=True)
    job_kinds = models.JSONField(default=list, blank=True)
    series = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    minimum_age = models.PositiveIntegerField(default=0)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    timezone = models.CharField(max_length=ZONE_LENGTH, default="UTC")
    reminder_interval = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="rule_quiet_hours_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"rule {self.pk}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Querysets of messages."""

    def waiting(self) -> Self:
        """Return the messages that may still be sent."""
        return self.filter(status=MessageStatus.WAITING)

    def due(self, now: datetime) -> Self:
        """Return the waiting messages whose time has come."""
        return self.waiting().filter(next_try_at__lte=now)

    def sent(self) -> Self:
        """Return the messages that a service has accepted."""
        return self.filter(status=MessageStatus.SENT)


class Notification(models.Model):
    """One message to one channel about one state of an incident.

    `occurrence` is the number of times that the incident was reopened, `number` that of a reminder. `digest` is the
    same for messages that were sent as one. `result` is the answer of the service, or why nothing was sent.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="messages", db_index=False)
    incident = models.ForeignKey(Incident, null=True, on_delete=models.SET_NULL, related_name="messages")
    state = models.CharField(max_length=8, choices=[(s, s.capitalize()) for s in MessageState])
    occurrence = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=7, choices=[(s, s.capitalize()) for s in MessageStatus], default="waiting")
    subject = models.CharField(max_length=SUBJECT_LENGTH, blank=True, default="")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    digest = models.CharField(max_length=32, blank=True, default="")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["channel", "next_try_at", "id"], name="message_due", condition=Q(status="waiting")),
            models.Index(fields=["channel", "-ended_at"], name="message_sent", condition=Q(status="sent")),
            models.Index(fields=["channel", "-id"], name="message_channel"),
            models.Index(fields=["status", "-id"], name="message_status"),
            models.Index(fields=["created_at"], name="message_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[*MessageState]), name="message_state_known"),
            models.CheckConstraint(condition=Q(status__in=[*MessageStatus]), name="message_status_known"),
            models.UniqueConstraint(
                fields=["channel", "incident", "state", "occurrence", "number"], name="message_once_per_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} to {self.channel}"
