"""Filters of the training lists."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.admin.filters import LateFilter, OfJob, PartialFilter, StatusFilter, StuckFilter
from jobs.console.admin.range_filters import Created, Due, Finished, Metadata, Project
from jobs.models import Item
from jobs.rules.statuses import ItemStatus


class SessionStatus(OfJob, StatusFilter):
    """Filter by job status; by default jobs that are not finished."""


class SessionStuck(OfJob, StuckFilter):
    """Filter by stuck jobs."""


class SessionLate(OfJob, LateFilter):
    """Filter by late jobs."""


class SessionPartial(OfJob, PartialFilter):
    """Filter by partially completed jobs."""


class SessionCreated(OfJob, Created):
    """Filter by the time of creation."""


class SessionFinished(OfJob, Finished):
    """Filter by the time of the end."""


class SessionDue(OfJob, Due):
    """Filter by the due time."""


class SessionMetadata(OfJob, Metadata):
    """Filter by values of the job's metadata."""


class SessionProject(OfJob, Project):
    """Filter by the project of the job."""


class ImageStatus(admin.SimpleListFilter):
    """Filter by the status of an image's item."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every item status."""
        return [(status, status_styles.STYLES[status].label) for status in ItemStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the images with this status."""
        if self.value() not in list(ItemStatus):
            return queryset
        return queryset.filter(Exists(Item.objects.filter(pk=OuterRef("pk"), status=self.value())))


class Duplicate(admin.SimpleListFilter):
    """Filter by duplicates."""

    title = parameter_name = "duplicate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return yes and no."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return only duplicates, or only other images."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(duplicate_of__isnull=self.value() == "no")
