"""The filters of the lists of documents and of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.admin.filters import PartialFilter, Status, StuckFilter
from jobs.models import Job
from jobs.rules import names
from jobs.rules.statuses import ItemStatus

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices


class OfJob(admin.SimpleListFilter):
    """Documents by what a filter of jobs says of their jobs."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the documents whose jobs the kernel's filter keeps."""
        every = Job.objects.all()
        jobs = super().queryset(request, every)
        return queryset if jobs is every else queryset.filter(job__in=jobs)


class DocumentStatus(OfJob, Status):
    """Not finished, unless something else is asked for."""


class DocumentStuck(OfJob, StuckFilter):
    """Documents that do not finish by themselves."""


class DocumentPartial(OfJob, PartialFilter):
    """Documents that were completed with something missing."""


class Project(admin.SimpleListFilter):
    """The documents of one project, which is typed: nobody asks the database which projects there are."""

    title = parameter_name = "project"
    template = "ocr_chunks/project_filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.others = [(name, value) for name, value in request.GET.items() if name not in ("project", "p", "e")]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """None: it is typed."""
        return []

    def has_output(self) -> bool:
        """There is always the field to type into."""
        return True

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """The way back to every project."""
        yield {
            "selected": not self.value(),
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "All",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to exactly this project."""
        project = names.plain(self.value() or "")
        return queryset.filter(project=project) if project else queryset


class ChunkStatus(admin.SimpleListFilter):
    """The state of a chunk's item."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each state."""
        return [(status, status_styles.STYLES[status].word) for status in ItemStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the state."""
        return queryset.filter(item__status=self.value()) if self.value() in list(ItemStatus) else queryset
