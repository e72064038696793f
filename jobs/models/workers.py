"""Workers, and their results by five minutes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, When
from django.urls import reverse

from jobs.models.items import Item
from jobs.models.jobs import Job
from jobs.rules.limits import REASON_LENGTH, VERSION_LENGTH, WORKER_LENGTH

SLOT_MINUTES = 5
INTERVAL = timedelta(seconds=30)  # between the heartbeats of a worker, a third of the default lease
ALIVE, SILENT = 2 * INTERVAL, 10 * INTERVAL
HOUR = timedelta(hours=1)
FEW_FAILURES, MANY_FAILURES = 3, 10


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Querysets of workers by the age of their last heartbeat."""

    def alive(self, now: datetime) -> Self:
        """Return the workers with a sign of life within two heartbeats."""
        return self.filter(seen_at__gte=now - ALIVE)

    def silent(self, now: datetime) -> Self:
        """Return the workers without a sign of life for two heartbeats, but with one within ten."""
        return self.filter(seen_at__lt=now - ALIVE, seen_at__gte=now - SILENT)

    def gone(self, now: datetime) -> Self:
        """Return the workers without a sign of life for ten heartbeats."""
        return self.filter(seen_at__lt=now - SILENT)

    def holding(self) -> Self:
        """Return the workers that hold items."""
        return self.filter(name__in=Item.objects.held().values("worker"))

    def only_failing(self, now: datetime) -> Self:
        """Return recent workers whose last ten reported items failed; three if they had no success for an hour."""
        successes = WorkerTally.objects.filter(worker=OuterRef("name"), slot__gte=slot_of(now) - HOUR, done__gt=0)
        found = self.filter(seen_at__gte=now - SILENT, failed_in_a_row__gte=FEW_FAILURES)
        return found.filter(Q(failed_in_a_row__gte=MANY_FAILURES) | ~Exists(successes))

    def succeeding(self, now: datetime) -> Self:
        """Return recent workers whose last reported item succeeded."""
        successes = WorkerTally.objects.filter(worker=OuterRef("name"), slot__gte=slot_of(now) - HOUR, done__gt=0)
        return self.filter(Exists(successes), seen_at__gte=now - SILENT, failed_in_a_row=0)

    def by_urgency(self, now: datetime) -> Self:
        """Sort by urgency: silent and gone workers that hold items, then the silent, the alive and the gone."""
        absent = Q(seen_at__lt=now - ALIVE)
        holds = absent & Q(name__in=Item.objects.held().values("worker"))
        ranks = [When(holds, then=0), When(seen_at__gte=now - ALIVE, then=2), When(seen_at__gte=now - SILENT, then=1)]
        return self.annotate(urgency=Case(*ranks, default=3)).order_by("urgency", "-seen_at", "-id")


class Worker(models.Model):
    """A worker by the name it gives, with its last account and its last sign of life.

    `failed_in_a_row` counts its reported failures since its last success.
    """

    name = models.CharField(max_length=WORKER_LENGTH, unique=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField()
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    message = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    version = models.CharField(max_length=VERSION_LENGTH, blank=True, default="")
    failed_in_a_row = models.BigIntegerField(default=0)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at", "-id"]
        indexes = [models.Index(fields=["-seen_at", "-id"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the worker's page."""
        return reverse("admin:worker-page", args=[self.pk])


class WorkerTally(models.Model):
    """The applied results of a worker, by its name, in the five minutes from `slot` on."""

    worker = models.CharField(max_length=WORKER_LENGTH)
    slot = models.DateTimeField()
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "worker tallies"
        default_permissions = ()
        indexes = [models.Index(fields=["slot"], name="worker_tally_slot")]
        constraints = [models.UniqueConstraint(fields=["worker", "slot"], name="worker_tally_once_per_slot")]

    def __str__(self) -> str:
        return f"{self.worker} {self.slot:%H:%M}"


def slot_of(moment: datetime) -> datetime:
    """Return the start of the five minutes in which this moment is."""
    return moment.replace(minute=moment.minute - moment.minute % SLOT_MINUTES, second=0, microsecond=0)
