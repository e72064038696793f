"""Workers, and their results by five minutes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse

from jobs.models.items import Item, ItemQuerySet
from jobs.models.jobs import Job
from jobs.models.phases import Phase
from jobs.rules.limits import PROJECT_LENGTH, REASON_LENGTH, VERSION_LENGTH, WORKER_LENGTH
from jobs.rules.statuses import OPEN_PHASE

SLOT_MINUTES = 5
INTERVAL = timedelta(seconds=30)  # between the heartbeats of a worker, a third of the default lease
ALIVE, SILENT = 2 * INTERVAL, 10 * INTERVAL
HOUR = timedelta(hours=1)
FEW_FAILURES, MANY_FAILURES = 3, 10


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Querysets of workers by the age of their last heartbeat."""

    def within(self, projects: Collection[str] | None) -> Self:
        """Return the workers that were last seen in these projects; all where the projects are None."""
        return self if projects is None else self.filter(project__in=projects)

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
        return self.filter(Exists(held_items()))

    def only_failing(self, now: datetime) -> Self:
        """Return recent workers whose last ten reported items failed; three if they had no success for an hour."""
        found = self.filter(seen_at__gte=now - SILENT, failed_in_a_row__gte=FEW_FAILURES)
        return found.filter(Q(failed_in_a_row__gte=MANY_FAILURES) | ~Exists(_successes(now)))

    def succeeding(self, now: datetime) -> Self:
        """Return recent workers whose last reported item succeeded."""
        return self.filter(Exists(_successes(now)), seen_at__gte=now - SILENT, failed_in_a_row=0)

    def by_urgency(self, now: datetime) -> Self:
        """Sort by urgency: silent and gone workers that hold items, then the silent, the alive and the gone."""
        absent = Q(seen_at__lt=now - ALIVE)
        holds = absent & Q(Exists(held_items()))
        ranks = [When(holds, then=0), When(seen_at__gte=now - ALIVE, then=2), When(seen_at__gte=now - SILENT, then=1)]
        return self.annotate(urgency=Case(*ranks, default=3)).order_by("urgency", "-seen_at", "-id")


class Worker(models.Model):
    """A worker: an account and the name that its program gives itself, with its last sign of life.

    `owner` is the id of the account, 0 for calls without one; unlike `account` it stays when the account is deleted.
    Everything else is about the project of its last job, because accounts of that project see it: `failed_in_a_row`
    counts its reported failures there since its last success, and its message, version and progress (percent of its
    present item) are what it said there.
    """

    name = models.CharField(max_length=WORKER_LENGTH)
    owner = models.BigIntegerField(default=0)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField()
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    message = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    version = models.CharField(max_length=VERSION_LENGTH, blank=True, default="")
    progress = models.PositiveSmallIntegerField(null=True, blank=True)
    failed_in_a_row = models.BigIntegerField(default=0)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at", "-id"]
        indexes = [models.Index(fields=["-seen_at", "-id"], name="worker_seen")]
        constraints = [models.UniqueConstraint(fields=["name", "owner"], name="worker_once_per_account")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the worker's page."""
        return reverse("admin:worker-page", args=[self.pk])

    @property
    def items_query(self) -> dict[str, str]:
        """The filters of lists of items that keep those of this worker."""
        return {"worker": self.name, "account": str(self.account_id or 0)}

    @property
    def items(self) -> ItemQuerySet:
        """The items that this worker holds or has settled."""
        return Item.objects.by_worker(self.name, self.account_id)


class WorkerTallyQuerySet(models.QuerySet["WorkerTally"]):
    """Querysets of tallies of workers."""

    def within(self, projects: Collection[str] | None) -> Self:
        """Return the tallies of these projects; all where the projects are None."""
        return self if projects is None else self.filter(phase__job__project__in=projects)


class WorkerTally(models.Model):
    """The applied results of a worker in one phase, in the five minutes from `slot` on.

    The worker is named by `owner` and `worker`, as in its row. The phase is null where its job was deleted.
    `failed_in_a_row` counts its failures since its last success in these five minutes, `succeeded_at` is the time of
    that success.
    """

    owner = models.BigIntegerField(default=0)
    worker = models.CharField(max_length=WORKER_LENGTH)
    phase = models.ForeignKey(Phase, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    slot = models.DateTimeField()
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    failed_in_a_row = models.BigIntegerField(default=0, db_default=0)
    succeeded_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerTallyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "worker tallies"
        default_permissions = ()
        indexes = [
            models.Index(fields=["slot"], name="worker_tally_slot"),
            models.Index(fields=["phase", "slot"], name="worker_tally_phase"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["worker", "owner", "slot", "phase"], name="worker_tally_once_per_slot")
        ]

    def __str__(self) -> str:
        return f"{self.worker} {self.slot:%H:%M}"


class QuarantineQuerySet(models.QuerySet["Quarantine"]):
    """Querysets of quarantines."""

    def of(self, worker: str, owner: int) -> Self:
        """Return those of one worker."""
        return self.filter(worker=worker, owner=owner)

    def in_unfinished_phases(self) -> Self:
        """Return those that keep a worker from items."""
        return self.filter(phase__status__in=OPEN_PHASE, phase__job__removed_at__isnull=True)


class Quarantine(models.Model):
    """A worker that is kept from claiming items of a phase: it only failed there, and another worker did not.

    The worker is named by `owner` and `worker`, as in its row. From `until` on it gets one item: its success deletes
    this row, its failure moves `until`. `failures` are those in a row.
    """

    phase = models.ForeignKey(Phase, on_delete=models.CASCADE, related_name="quarantines", db_index=False)
    worker = models.CharField(max_length=WORKER_LENGTH)
    owner = models.BigIntegerField(default=0)
    since = models.DateTimeField()
    until = models.DateTimeField()
    failures = models.BigIntegerField()

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        ordering = ["-since", "-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["worker", "owner"], name="quarantine_worker")]
        constraints = [models.UniqueConstraint(fields=["phase", "worker", "owner"], name="quarantine_once_per_phase")]

    def __str__(self) -> str:
        return f"{self.worker} in {self.phase.code}"

    @property
    def items_query(self) -> dict[str, str]:
        """The filters of lists of items that keep those of this worker."""
        return {"worker": self.worker, "account": str(self.owner)}


def held_items() -> ItemQuerySet:
    """Return the items that the worker of an outer query holds: those under its name and its account."""
    held = Item.objects.held().filter(worker=OuterRef("name"))
    holder, account = Coalesce(F("account"), Value(0)), Coalesce(OuterRef("account"), Value(0))
    return held.alias(holder=holder).filter(holder=account)


def _successes(now: datetime) -> WorkerTallyQuerySet:
    """Return the tallies with a success within an hour, of the worker of an outer query in its project."""
    own = WorkerTally.objects.filter(worker=OuterRef("name"), owner=OuterRef("owner"))
    return own.filter(phase__job__project=OuterRef("project"), slot__gte=slot_of(now) - HOUR, done__gt=0)


def slot_of(moment: datetime) -> datetime:
    """Return the start of the five minutes in which this moment is."""
    return moment.replace(minute=moment.minute - moment.minute % SLOT_MINUTES, second=0, microsecond=0)
