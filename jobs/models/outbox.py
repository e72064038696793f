"""Endpoints, and the deliveries of events to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from jobs.models.events import Event
from jobs.models.jobs import Job
from jobs.rules.limits import ERROR_LENGTH, NAME_LENGTH, PROJECT_LENGTH, SECRET_LENGTH, URL_LENGTH

DEFAULT_TYPES = ("*.completed",)


class EndpointKind(StrEnum):
    """The kind of an endpoint."""

    WEBHOOK = "webhook"
    BROKER = "broker"


class EndpointFormat(StrEnum):
    """The format of the messages to an endpoint: the event itself, or a CloudEvent around it."""

    JSON = "json"
    CLOUDEVENTS = "cloudevents"


class DeliveryStatus(StrEnum):
    """The status of a delivery: waiting for its next try, accepted by the endpoint, or given up."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


def default_types() -> list[str]:
    """Return the patterns of an endpoint that names none: every completion."""
    return list(DEFAULT_TYPES)


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Querysets of endpoints."""

    def active(self) -> Self:
        """Return the endpoints that get new events."""
        return self.filter(active=True)


class Endpoint(models.Model):
    """A webhook or the broker, subscribed to outward events whose type matches one of its patterns.

    With a `project` it gets only the events of that project's jobs. During the rotation of its secret a webhook is
    signed with `previous_secret` too, until `previous_until`. `sender` is the deliverer that sends to it until
    `sender_until`. No two send to one endpoint at the same time, so that the order of a job's events is kept. While
    the endpoint pauses (on its own request, or after a failure) no deliverer sends.
    """

    name = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    kind = models.CharField(max_length=7, choices=[(k, k.capitalize()) for k in EndpointKind], default="webhook")
    format = models.CharField(max_length=11, choices=[(f, f.value) for f in EndpointFormat], default="json")
    url = models.CharField(max_length=URL_LENGTH)
    types = models.JSONField(default=default_types, blank=True)
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    secret = models.CharField(max_length=SECRET_LENGTH, blank=True, default="")
    previous_secret = models.CharField(max_length=SECRET_LENGTH, blank=True, default="")
    previous_until = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    sender = models.CharField(max_length=32, blank=True, default="", editable=False)
    sender_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=[*EndpointKind]), name="endpoint_kind_known"),
            models.CheckConstraint(condition=Q(format__in=[*EndpointFormat]), name="endpoint_format_known"),
            models.UniqueConstraint(fields=["url", "project"], name="endpoint_once_per_project"),
        ]

    def __str__(self) -> str:
        return self.name or self.url

    def secrets(self, now: datetime) -> list[str]:
        """Return the secrets to sign with: the present one, and the previous one while it is valid."""
        rotating = self.previous_secret and self.previous_until is not None and now < self.previous_until
        return [self.secret, *([self.previous_secret] if rotating else [])]


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Querysets of deliveries."""

    def waiting(self) -> Self:
        """Return the deliveries that are not sent yet and will be tried."""
        return self.filter(status=DeliveryStatus.WAITING)

    def dead(self) -> Self:
        """Return the given up deliveries, which wait for an operator's replay."""
        return self.filter(status=DeliveryStatus.DEAD)

    def undelivered(self) -> Self:
        """Return the deliveries that an endpoint may still get: waiting ones, and dead ones that can be replayed.

        A dead one keeps its job for as long as the timeline is kept.
        """
        replayable = Q(status=DeliveryStatus.DEAD, endpoint__active=True)
        if settings.RETENTION_TIMELINE_DAYS:
            replayable &= Q(created_at__gte=timezone.now() - timedelta(days=settings.RETENTION_TIMELINE_DAYS))
        return self.filter(Q(status=DeliveryStatus.WAITING) | replayable)

    def due(self, now: datetime) -> Self:
        """Return the waiting deliveries whose next try is due."""
        return self.waiting().filter(next_try_at__lte=now)


class Delivery(models.Model):
    """The delivery of one event to one endpoint. `tries` counts failures since its creation or replay."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=7, choices=[(s, s.capitalize()) for s in DeliveryStatus], default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["endpoint", "next_try_at", "event"], name="delivery_due", condition=Q(status="waiting")
            ),
            models.Index(fields=["endpoint", "job", "event"], name="delivery_order", condition=Q(status="waiting")),
            models.Index(fields=["created_at"], name="delivery_waiting", condition=Q(status="waiting")),
            models.Index(fields=["status", "-id"], name="delivery_status"),
            models.Index(fields=["endpoint", "-id"], name="delivery_endpoint"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[*DeliveryStatus]), name="delivery_status_known"),
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once_per_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"
