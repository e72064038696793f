"""Activity: the acts of people with account, time and reason, in one readable list."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.rules.activity import ACCESS
from jobs.rules.limits import ACT_LENGTH, NAME_LENGTH, PROJECT_LENGTH, REASON_LENGTH


class ActivityQuerySet(models.QuerySet["Activity"]):
    """Querysets of activity."""

    def within(self, projects: Collection[str] | None, *, access: bool) -> Self:
        """Return the rows of these projects (None: all), with those about access only where `access` says so.

        A row without a project may be about the whole site, which a limited account does not see.
        """
        rows = self if projects is None else self.filter(project__in=projects).exclude(project="")
        return rows if access else rows.exclude(about__in=ACCESS)

    def newest_first(self) -> Self:
        """Order by time, as the indexes do."""
        return self.order_by("-at", "-id")


class Activity(models.Model):
    """One act of a person. Rows are only added; they stay when the account, the job or the target is deleted.

    `actor` is the name at that time, `system` for the command line. `about` is the kind of the target: a job, a token,
    a sign-in. `target` is its name and `target_id` its key. A row without a project is visible only to accounts that
    see every project. `bulk` is the bulk act that the act on one job was part of.
    """

    at = models.DateTimeField()
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    actor = models.CharField(max_length=NAME_LENGTH)
    act = models.CharField(max_length=ACT_LENGTH)
    about = models.CharField(max_length=ACT_LENGTH)
    target = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    target_id = models.CharField(max_length=64, blank=True, default="")
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    job_id = models.BigIntegerField(null=True, blank=True)
    bulk = models.BigIntegerField(null=True, blank=True)
    detail = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")

    objects = ActivityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "activity"
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-at", "-id"], name="activity_at"),
            models.Index(fields=["-at", "-id"], name="activity_single", condition=Q(bulk__isnull=True)),
            models.Index(fields=["job_id", "-at", "-id"], name="activity_job", condition=Q(job_id__isnull=False)),
            models.Index(fields=["bulk", "-at", "-id"], name="activity_bulk", condition=Q(bulk__isnull=False)),
            models.Index(fields=["actor", "-at", "-id"], name="activity_actor"),
            models.Index(fields=["act", "-at", "-id"], name="activity_act"),
            models.Index(fields=["project", "-at", "-id"], name="activity_project"),
            models.Index(fields=["account"], name="activity_account", condition=Q(account__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.about} {self.target}".strip()
