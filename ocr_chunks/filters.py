"""Filters of the document and chunk lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.admin.filters import LateFilter, PartialFilter, Status, StuckFilter
from jobs.models import Job
from jobs.rules import names
from jobs.rules.statuses import ItemStatus

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices


class OfJob(admin.SimpleListFilter):
    """Mix-in that applies a job filter to the jobs of documents."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the documents whose jobs pass the filter."""
        every = Job.objects.all()
        jobs = super().queryset(request, every)
        return queryset if jobs is every else queryset.filter(job__in=jobs)


class DocumentStatus(OfJob, Status):
    """Filter by job status; by default jobs that are not finished."""


class DocumentStuck(OfJob, StuckFilter):
    """Filter by stuck jobs."""


class DocumentLate(OfJob, LateFilter):
    """Filter by late jobs."""


class DocumentPartial(OfJob, PartialFilter):
    """Filter by partially completed jobs."""


class Project(admin.SimpleListFilter):
    """Filter by an entered project. Listing all projects would scan the whole table."""

    title = parameter_name = "project"
    template = "ocr_chunks/project_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.others = [(name, value) for name, value in request.GET.items() if name not in ("project", "p", "e")]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return no choices: the project is entered as text."""
        return []

    def has_output(self) -> bool:
        """Return true, because the text field is always shown."""
        return True

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Yield the link that removes the filter."""
        yield {
            "selected": not self.value(),
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "All",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the documents of exactly this project."""
        project = names.plain(self.value() or "")
        return queryset.filter(project=project) if project else queryset


class ChunkStatus(admin.SimpleListFilter):
    """Filter by the status of a chunk's item."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every item status."""
        return [(status, status_styles.STYLES[status].label) for status in ItemStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the chunks with this status."""
        return queryset.filter(item__status=self.value()) if self.value() in list(ItemStatus) else queryset
