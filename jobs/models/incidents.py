"""Incidents: causes that need a person, the jobs that they hit, and their history."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from jobs.models.jobs import Job, projects_of
from jobs.rules.incidents import CAUSE_LENGTH, KINDS, TITLE_LENGTH, IncidentKind, IncidentState, KindText
from jobs.rules.limits import ERROR_LENGTH, NAME_LENGTH, PROJECT_LENGTH, REASON_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.utils.functional import _StrPromise

INCIDENT_PERMISSIONS: list[tuple[str, str | _StrPromise]] = [
    ("acknowledge_incident", "Can acknowledge incidents"),
    ("assign_incident", "Can assign incidents"),
    ("snooze_incident", "Can snooze incidents"),
    ("resolve_incident", "Can resolve incidents"),
]
NOT_OVER = Q(ended_at__isnull=True)


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Querysets of incidents."""

    def ongoing(self) -> Self:
        """Return the incidents that are not over: open, acknowledged and snoozed ones."""
        return self.filter(NOT_OVER)

    def worst_first(self) -> Self:
        """Sort by severity, then by age, the oldest first."""
        return self.order_by("-worst", "opened_at", "id")

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return all incidents for an account without limits; for a limited one those of its projects.

        An incident without a project may be about the whole site, which a limited account does not see.
        """
        projects = projects_of(user)
        return self if projects is None else self.filter(project__in=projects).exclude(project="")

    def asleep(self, now: datetime) -> Self:
        """Return the snoozed incidents whose time is over."""
        return self.filter(NOT_OVER, state=IncidentState.SNOOZED, snoozed_until__lte=now)


class Incident(models.Model):
    """A cause that needs a person: its kind, its project, and what it is about; at most one is open for each.

    The project is empty for the whole site. `subjects` is the number of jobs, workers, deliveries or messages of its
    kind, `worst` its severity, `error` the first error sentence. `revision` grows with every change that people are to
    learn, `reopened` counts how often the cause came back within minutes. It is over when `ended_at` is set, by
    "recovered", "expired" or the name of an operator. A snooze ends at `snoozed_until`, or without a time when there
    are more than `snoozed_at_subjects`.
    """

    kind = models.CharField(max_length=20, choices=[(kind, text.label) for kind, text in KINDS.items()])
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    cause = models.CharField(max_length=CAUSE_LENGTH, blank=True, default="")
    state = models.CharField(
        max_length=12, choices=[(s, s.capitalize()) for s in IncidentState], default=IncidentState.OPEN
    )
    title = models.CharField(max_length=TITLE_LENGTH)
    detail = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    subjects = models.PositiveIntegerField(default=0)
    worst = models.PositiveSmallIntegerField(default=0)
    reopened = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)

    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=NAME_LENGTH, blank=True, default="")

    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_at_subjects = models.PositiveIntegerField(null=True, blank=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = INCIDENT_PERMISSIONS
        indexes = [
            models.Index(fields=["-worst", "opened_at", "id"], name="incident_ongoing", condition=NOT_OVER),
            models.Index(fields=["-ended_at", "-id"], name="incident_over", condition=Q(ended_at__isnull=False)),
            models.Index(fields=["kind", "project", "cause", "-ended_at"], name="incident_cause"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "project", "cause"], name="incident_once", condition=NOT_OVER),
            models.CheckConstraint(condition=Q(kind__in=[*IncidentKind]), name="incident_kind_known"),
            models.CheckConstraint(condition=Q(state__in=[*IncidentState]), name="incident_state_known"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) ^ Q(state=IncidentState.RESOLVED), name="incident_over_is_resolved"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the incident's page."""
        return reverse("admin:incident-page", args=[self.pk])

    @property
    def text(self) -> KindText:
        """The words of its kind."""
        return KINDS[IncidentKind(self.kind)]

    @property
    def is_over(self) -> bool:
        """True once it has ended."""
        return self.ended_at is not None


class IncidentJobQuerySet(models.QuerySet["IncidentJob"]):
    """Querysets of the jobs of incidents."""

    def present(self) -> Self:
        """Return those that the cause still hits."""
        return self.filter(left_at__isnull=True)


class IncidentJob(models.Model):
    """A job that an incident hits, until `left_at`. A job that comes back has the same row again."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="members", db_index=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="incident_rows")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    objects = IncidentJobQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["incident", "id"], name="incident_job_present", condition=Q(left_at__isnull=True))
        ]
        constraints = [models.UniqueConstraint(fields=["incident", "job"], name="incident_job_once")]

    def __str__(self) -> str:
        return f"{self.job_id} of incident {self.incident_id}"


class IncidentEntry(models.Model):
    """A line in the history of an incident: `act` names what happened, `actor` is an account's name or `system`."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="entries", db_index=False)
    at = models.DateTimeField()
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    act = models.CharField(max_length=20)
    detail = models.CharField(max_length=REASON_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        verbose_name_plural = "incident entries"
        indexes = [models.Index(fields=["incident", "id"], name="incident_entry")]

    def __str__(self) -> str:
        return f"{self.act} {self.at:%Y-%m-%d %H:%M}"
