"""Bulk acts: one confirmed act on many jobs, and its outcome for each job."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from jobs.models.jobs import projects_of
from jobs.rules.limits import NAME_LENGTH, REASON_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

WORDS_LENGTH = 500


class BulkStatus(StrEnum):
    """The status of a bulk act: jobs are left, all are done, or an operator has stopped it."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class TargetOutcome(StrEnum):
    """The outcome of a bulk act for one job: not done yet, changed, nothing to change, or refused."""

    OPEN = ""
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class BulkActQuerySet(models.QuerySet["BulkAct"]):
    """Querysets of bulk acts."""

    def running(self) -> Self:
        """Return the acts that have jobs left."""
        return self.filter(status=BulkStatus.RUNNING)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return all acts for an account without limits; its own for an account that is limited to projects."""
        return self if projects_of(user) is None else self.filter(account_id=user.pk)


class BulkAct(models.Model):
    """A confirmed act on a fixed set of jobs, its `targets`, which are done one by one.

    `act` is its slug, `scope` the part of each job, as the fields of `operations.arguments.Scope`. `chosen` describes
    the selection of the jobs, and `back` is the address of the list. In the end `total` = done + unchanged + refused.
    `changed` is the sum of changed items, phases or jobs, and `worked_at` the time at which the last job was done.
    """

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=NAME_LENGTH)
    act = models.CharField(max_length=20)
    scope = models.JSONField(default=dict, blank=True)
    chosen = models.CharField(max_length=WORDS_LENGTH, blank=True, default="")
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    back = models.TextField(blank=True, default="")
    status = models.CharField(max_length=8, choices=[(s, s.capitalize()) for s in BulkStatus], default="running")
    ended_by = models.CharField(max_length=NAME_LENGTH, blank=True, default="")

    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField()
    worked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BulkActQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["id"], name="bulk_running", condition=Q(status="running")),
            models.Index(fields=["created_at"], name="bulk_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[*BulkStatus]), name="bulk_status_known"),
            models.CheckConstraint(
                condition=Q(total__gte=models.F("done") + models.F("unchanged") + models.F("refused")),
                name="bulk_no_more_than_total",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} of {self.total} jobs"

    def get_absolute_url(self) -> str:
        """Return the address of the page with its progress."""
        return reverse("admin:bulk-page", args=[self.pk])

    @property
    def settled(self) -> int:
        """The number of jobs with an outcome."""
        return self.done + self.unchanged + self.refused

    @property
    def left(self) -> int:
        """The number of jobs without an outcome."""
        return self.total - self.settled

    @property
    def is_running(self) -> bool:
        """True while jobs are left and no operator has stopped it."""
        return self.status == BulkStatus.RUNNING


class BulkTargetQuerySet(models.QuerySet["BulkTarget"]):
    """Querysets of the jobs of bulk acts."""

    def open(self) -> Self:
        """Return the jobs without an outcome."""
        return self.filter(outcome=TargetOutcome.OPEN)


class BulkTarget(models.Model):
    """A job of a bulk act, with its state at the confirmation and its outcome. It outlives the job.

    `states` is the state that the operator confirmed, `items` the selected items or None for the job as a whole. `was`
    and `became` are the statuses of the job before and after. `refusals` counts the unchanged items by reason.
    `planned` is the number of items that a large act moves in portions (0: one transaction), and `after` the id of the
    last item of the portion before.
    """

    bulk = models.ForeignKey(BulkAct, on_delete=models.CASCADE, related_name="targets", db_index=False)
    job_id = models.BigIntegerField()
    name = models.CharField(max_length=NAME_LENGTH)
    states = models.CharField(max_length=16)
    items = models.JSONField(null=True, blank=True)
    was = models.CharField(max_length=10)
    became = models.CharField(max_length=10, blank=True, default="")
    outcome = models.CharField(max_length=9, blank=True, default="")
    changed = models.PositiveIntegerField(default=0)
    detail = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    refusals = models.JSONField(default=dict, blank=True)
    planned = models.PositiveIntegerField(default=0)
    after = models.BigIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = BulkTargetQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["bulk", "id"], name="bulk_target_open", condition=Q(outcome=""))]
        constraints = [
            models.UniqueConstraint(fields=["bulk", "job_id"], name="bulk_job_once"),
            models.CheckConstraint(condition=Q(outcome__in=[*TargetOutcome]), name="bulk_outcome_known"),
        ]

    def __str__(self) -> str:
        return self.name
