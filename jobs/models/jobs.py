"""Jobs: runs of a pipeline."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from jobs.rules import pipelines
from jobs.rules.limits import (
    CODE_LENGTH,
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    NAME_LENGTH,
    PROJECT_LENGTH,
    STAGE_LENGTH,
)
from jobs.rules.statuses import FINISHED_JOB, UNFINISHED_JOB, Held, JobStatus, Stuck

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.utils.functional import _StrPromise

PERMISSIONS: list[tuple[str, str | _StrPromise]] = [
    ("report_job", "Can report: announce, add items, claim, report, count, heartbeat"),
    ("retry_job", "Can retry failed items"),
    ("release_job", "Can release items from their workers"),
    ("lift_job", "Can lift quarantines of workers"),
    ("skip_job", "Can skip items"),
    ("pause_job", "Can pause jobs"),
    ("resume_job", "Can resume jobs"),
    ("force_complete_job", "Can force-complete jobs and phases"),
    ("fail_job", "Can fail jobs"),
    ("cancel_job", "Can cancel jobs"),
    ("set_threshold_job", "Can change the threshold of a phase"),
    ("set_retries_job", "Can change the automatic retries of a phase"),
    ("set_priority_job", "Can change the priority of jobs"),
    ("set_limit_job", "Can limit the leased items of a phase"),
    ("set_due_job", "Can change the due time of a job"),
    ("restart_job", "Can restart phases"),
    ("share_job", "Can give out and renew the links of a job's badge"),
    ("manage_limits", "Can limit the leased items of projects"),
    ("replay_event", "Can deliver outward events again"),
    ("manage_endpoints", "Can add, change, try and remove endpoints"),
    ("manage_tokens", "Can issue, rotate and revoke tokens"),
]


class JobQuerySet(models.QuerySet["Job"]):
    """Querysets of jobs."""

    def unfinished(self) -> Self:
        """Return pending, processing and paused jobs."""
        return self.filter(status__in=UNFINISHED_JOB)

    def finished(self) -> Self:
        """Return completed, failed and cancelled jobs."""
        return self.filter(status__in=FINISHED_JOB)

    def stuck(self) -> Self:
        """Return the jobs that the watchdog has marked as stuck."""
        return self.exclude(stuck="")

    def late(self) -> Self:
        """Return the jobs that the watchdog has marked as late."""
        return self.filter(late=True)

    def overdue(self, now: datetime) -> Self:
        """Return the jobs whose due time has passed and that are not marked as late yet."""
        return self.filter(due_at__lte=now, late=False, finished_at__isnull=True)

    def working(self) -> Self:
        """Return pending and processing jobs: neither finished nor paused or cancelled by an operator."""
        return self.filter(status__in=(JobStatus.PENDING, JobStatus.PROCESSING))

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the jobs of the projects that this account is limited to; all where it is not limited."""
        projects = projects_of(user)
        return self if projects is None else self.filter(project__in=projects)


class JobManager(models.Manager.from_queryset(JobQuerySet)):  # type: ignore[misc]
    """All jobs but those that are being deleted: they take no acts and lose their items step by step."""

    def get_queryset(self) -> JobQuerySet:
        """Leave out the jobs that are being deleted."""
        found: JobQuerySet = super().get_queryset()
        return found.filter(removed_at__isnull=True)


def projects_of(user: User | AnonymousUser) -> list[str] | None:
    """Return the projects that an account is limited to, or None where it sees every project."""
    if not user.is_authenticated:
        return []
    if user.is_superuser:
        return None
    return list(user.memberships.values_list("project", flat=True)) or None


class Job(models.Model):
    """A run of a pipeline. Everything but `held` is derived from its phases and stored for the lists.

    `threshold` and the three columns of retries are the values that its creator set for all present and later phases;
    None: the preset. The links of its badge contain `badge_series`: a new series ends those before it. With
    `removed_at` the job is being deleted in portions, and `Job.objects` no longer finds it. With `expected_seconds` its
    due time counts from its start. The limits are the seconds without a sign of life, and without progress, after which
    it is stuck now; None: the setting. The common claim takes the jobs of the highest `priority` first.
    `reworking` counts the open items of a completed job that are done again: failed ones that were retried, and what
    is open beside them.
    """

    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    kind = models.CharField(max_length=CODE_LENGTH)
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    threshold = models.PositiveSmallIntegerField(null=True, blank=True)
    retries = models.PositiveSmallIntegerField(null=True, blank=True)
    retry_delay = models.PositiveIntegerField(null=True, blank=True)
    retry_delay_max = models.PositiveIntegerField(null=True, blank=True)
    priority = models.SmallIntegerField(default=0, db_default=0)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    status = models.CharField(max_length=10, choices=[(s, s.capitalize()) for s in JobStatus], default="pending")
    held = models.CharField(max_length=10, choices=[(h, h.capitalize()) for h in Held], blank=True, default="")
    partial = models.BooleanField(default=False)
    reworking = models.PositiveBigIntegerField(default=0, db_default=0)
    stuck = models.CharField(max_length=11, choices=[(s, s.capitalize()) for s in Stuck], blank=True, default="")
    stuck_since = models.DateTimeField(null=True, blank=True)
    stage = models.CharField(max_length=STAGE_LENGTH, blank=True, default="")
    late = models.BooleanField(default=False, db_default=False)
    due_at = models.DateTimeField(null=True, blank=True)
    expected_seconds = models.PositiveIntegerField(null=True, blank=True)
    silent_after = models.PositiveIntegerField(null=True, blank=True)
    stalled_after = models.PositiveIntegerField(null=True, blank=True)
    silent_limit = models.PositiveIntegerField(null=True, blank=True)
    stalled_limit = models.PositiveIntegerField(null=True, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    settled_percent = models.PositiveSmallIntegerField(default=0)
    revision = models.BigIntegerField(default=0)
    error = models.CharField(max_length=1600, blank=True, default="")
    error_item_id = models.BigIntegerField(null=True, blank=True)
    badge_series = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    progress_at = models.DateTimeField(null=True, blank=True)
    watched_from = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = JobManager()

    class Meta:
        permissions = PERMISSIONS
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["status", "-updated_at", "-id"], name="job_status_updated"),
            models.Index(fields=["-updated_at", "-id"], name="job_updated"),
            models.Index(fields=["-created_at", "-id"], name="job_created"),
            models.Index(fields=["project", "-updated_at", "-id"], name="job_project_updated"),
            models.Index(fields=["kind", "-updated_at", "-id"], name="job_kind_updated"),
            models.Index(fields=["priority", "id"], name="job_priority"),
            models.Index(fields=["project", "id"], name="job_open_of_project", condition=Q(status__in=UNFINISHED_JOB)),
            models.Index(fields=["-finished_at", "-id"], name="job_finished", condition=Q(finished_at__isnull=False)),
            models.Index(fields=["-updated_at", "-id"], name="job_stuck", condition=~Q(stuck="")),
            models.Index(fields=["-updated_at", "-id"], name="job_late", condition=Q(late=True)),
            models.Index(
                fields=["due_at"],
                name="job_overdue",
                condition=Q(due_at__isnull=False, late=False, finished_at__isnull=True),
            ),
            models.Index(fields=["-updated_at", "-id"], name="job_partial", condition=Q(partial=True)),
            # Covers the metrics, which count every job.
            models.Index(
                fields=["status", "kind", "project"], name="job_figures", condition=Q(removed_at__isnull=True)
            ),
            models.Index(fields=["id"], name="job_removed", condition=Q(removed_at__isnull=False)),
            models.Index(
                fields=["status", "heartbeat_at"],
                name="job_unfinished",
                condition=Q(status__in=["pending", "processing", "paused"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[*JobStatus]), name="job_status_known"),
            models.CheckConstraint(condition=Q(stuck__in=["", *Stuck]), name="job_stuck_known"),
            models.CheckConstraint(condition=Q(held__in=["", *Held]), name="job_held_known"),
            models.CheckConstraint(
                condition=Q(priority__gte=LOWEST_PRIORITY, priority__lte=HIGHEST_PRIORITY), name="job_priority_100"
            ),
            models.CheckConstraint(condition=Q(percent__lte=100) & Q(settled_percent__lte=100), name="job_percent_100"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the job's page, as its kind registered it."""
        return reverse(pipelines.page_of(self.kind), args=[self.pk])

    @property
    def is_finished(self) -> bool:
        """True once completed, failed or cancelled."""
        return self.status in FINISHED_JOB

    def last_sign_of_life(self) -> datetime:
        """Return the time of the last heartbeat, or the later time from which the watchdog watches."""
        return max(filter(None, (self.heartbeat_at, self.watched_from)))

    def log_fields(self) -> dict[str, Any]:
        """Return the ids for log lines about this job."""
        return {"job_id": self.pk, "job": self.name}
