"""Filters with choices that are known beforehand, so that no list asks the database which there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs.console import status_styles
from jobs.rules import pipelines
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices

UNFINISHED = "Not finished"


class Status(admin.SimpleListFilter):
    """Not finished, unless something else is asked for."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each status, and all."""
        return [("all", "All"), *((status, status_styles.STYLES[status].label) for status in JobStatus)]

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """The default says what it is."""
        first, *others = super().choices(changelist)
        first["display"] = UNFINISHED
        yield first
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the status; a filter by stuck, partial or end looks at every status."""
        if self.value() in list(JobStatus):
            return queryset.filter(status=self.value())
        others = {"stuck", "partial", "finished"} & set(request.GET)
        return queryset if self.value() == "all" or others else queryset.unfinished()  # type: ignore[attr-defined]


class StatusOfItems(admin.ChoicesFieldListFilter):
    """The statuses of items, by the index over all jobs."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the status."""
        return queryset.on_site(self.lookup_val[-1]) if self.lookup_val else queryset  # type: ignore[attr-defined]


class Kind(admin.SimpleListFilter):
    """The registered kinds."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """From the registry."""
        return pipelines.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class Yes(admin.SimpleListFilter):
    """All, or only those of which something is true."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice."""
        return [("yes", "Yes")]


class StuckFilter(Yes):
    """Jobs that do not finish by themselves."""

    title = parameter_name = "stuck"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only stuck ones."""
        return queryset.stuck() if self.value() else queryset  # type: ignore[attr-defined]


class PartialFilter(Yes):
    """Jobs that completed with something missing."""

    title = parameter_name = "partial"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only partial ones."""
        return queryset.filter(partial=True) if self.value() else queryset


class Finished(admin.SimpleListFilter):
    """How long ago a job ended."""

    title = parameter_name = "finished"
    LENGTHS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Three lengths of time."""
        return [("1h", "In the last hour"), ("24h", "In the last 24 hours"), ("7d", "In the last 7 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only those that ended since then."""
        length = self.LENGTHS.get(self.value() or "")
        return queryset.filter(finished_at__gte=timezone.now() - length) if length else queryset


class OfWorker(admin.SimpleListFilter):
    """Items that a worker holds or settled; offered only while the address asks for one."""

    title = parameter_name = "worker"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The one that is asked for."""
        return [(name, name) for name in request.GET.getlist("worker")[:1] if name]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the worker."""
        return queryset.filter(worker=self.value()) if self.value() else queryset


class Sign(admin.SimpleListFilter):
    """How long ago a worker was heard."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The three states."""
        return [(code, status_styles.STYLES[code].label) for code in ("alive", "silent", "gone")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the state as it is now."""
        known = {code for code, _ in self.lookup_choices}
        return getattr(queryset, self.value() or "")(timezone.now()) if self.value() in known else queryset


class Holding(Yes):
    """Workers that hold items."""

    title = parameter_name = "holding"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only those."""
        return queryset.holding() if self.value() else queryset  # type: ignore[attr-defined]
