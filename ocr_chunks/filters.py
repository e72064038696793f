"""Filters of the document and chunk lists."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.admin.filters import LateFilter, OfJob, PartialFilter, StatusFilter, StuckFilter
from jobs.console.admin.range_filters import Created, Due, Finished, Metadata
from jobs.rules.statuses import ItemStatus


class DocumentStatus(OfJob, StatusFilter):
    """Filter by job status; by default jobs that are not finished."""


class DocumentStuck(OfJob, StuckFilter):
    """Filter by stuck jobs."""


class DocumentLate(OfJob, LateFilter):
    """Filter by late jobs."""


class DocumentPartial(OfJob, PartialFilter):
    """Filter by partially completed jobs."""


class DocumentCreated(OfJob, Created):
    """Filter by the time of creation."""


class DocumentFinished(OfJob, Finished):
    """Filter by the time of the end."""


class DocumentDue(OfJob, Due):
    """Filter by the due time."""


class DocumentMetadata(OfJob, Metadata):
    """Filter by values of the job's metadata."""


class ChunkStatus(admin.SimpleListFilter):
    """Filter by the status of a chunk's item."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every item status."""
        return [(status, status_styles.STYLES[status].label) for status in ItemStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the chunks with this status."""
        return queryset.filter(item__status=self.value()) if self.value() in list(ItemStatus) else queryset
