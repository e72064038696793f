"""Limits of the leased items of projects."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import BigIntegerField, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from jobs.models.jobs import Job
from jobs.rules.limits import PROJECT_LENGTH


class ProjectLimitQuerySet(models.QuerySet["ProjectLimit"]):
    """Querysets of limits of projects."""

    def with_leased(self) -> Self:
        """Add `leased`: the number of leased items in the unfinished jobs of the project, from the counters."""
        jobs = Job.objects.unfinished().filter(project=OuterRef("project")).order_by()
        sums = jobs.values("project").annotate(leased=Sum("phases__processing")).values("leased")
        return self.annotate(leased=Coalesce(Subquery(sums, output_field=BigIntegerField()), 0))

    def reached(self) -> Self:
        """Return the limits that allow no more leases."""
        return self.with_leased().filter(leased__gte=F("max_leased"))


class ProjectLimit(models.Model):
    """The number of items that may be leased at once in the unfinished jobs of a project.

    A claim locks the row, so that two claims of one project never use the same room. Without a row there is no limit.
    """

    project = models.CharField(max_length=PROJECT_LENGTH, unique=True, blank=True)
    max_leased = models.PositiveIntegerField()

    objects = ProjectLimitQuerySet.as_manager()

    class Meta:
        ordering = ["project"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.project or 'no project'}: {self.max_leased}"
