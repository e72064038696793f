"""Filters with choices that are known beforehand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.admin.filters import PartialFilter, Status, StuckFilter
from jobs.models import Item, Job
from jobs.rules.statuses import ItemStatus


class OfJob(admin.SimpleListFilter):
    """A filter of jobs, for the sessions that have one."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only sessions whose job it lets through."""
        jobs = super().queryset(request, Job.objects.all())
        return queryset.filter(job__in=jobs) if jobs is not None and jobs.query.where else queryset


class SessionStatus(OfJob, Status):
    """Not finished, unless something else is asked for."""


class SessionStuck(OfJob, StuckFilter):
    """Sessions that do not finish by themselves."""


class SessionPartial(OfJob, PartialFilter):
    """Sessions that completed with something missing."""


class ImageStatus(admin.SimpleListFilter):
    """The status of an image in training."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each status of an item."""
        return [(status, status_styles.STYLES[status].word) for status in ItemStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the status."""
        if self.value() not in list(ItemStatus):
            return queryset
        return queryset.filter(Exists(Item.objects.filter(pk=OuterRef("pk"), status=self.value())))


class Duplicate(admin.SimpleListFilter):
    """Images that another one stands for, or those that stand for themselves."""

    title = parameter_name = "duplicate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Both."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to one of them."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(duplicate_of__isnull=self.value() == "no")
