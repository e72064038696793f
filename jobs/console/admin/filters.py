"""Filters with fixed choices, so that no list queries the database for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs.console import status_styles
from jobs.console.items.filters import of_account
from jobs.models import Job
from jobs.rules import pipelines
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices


class DefaultFilter(admin.SimpleListFilter):
    """A filter that narrows the list also where the query string does not name it.

    `default_label` replaces Django's "All" in the list of choices.
    """

    default_label: str

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Return the choices, the default first."""
        first, *others = super().choices(changelist)
        first["display"] = self.default_label
        yield first
        yield from others


class StatusFilter(DefaultFilter):
    """The statuses of jobs; by default those that are not finished."""

    title = parameter_name = "status"
    default_label = "Not finished"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every status, and all."""
        return [("all", "All"), *((status, status_styles.STYLES[status].label) for status in JobStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the status. A search, and a filter by stuck, late, partial or end, include every status."""
        if self.value() in list(JobStatus):
            return queryset.filter(status=self.value())
        everything = self.value() == "all" or _looks_in_all(request)
        return queryset if everything else queryset.unfinished()  # type: ignore[attr-defined]

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        """Return the choices; a list that looks in all without a status shows all of them as chosen."""
        first, every, *others = super().choices(changelist)
        if self.value() is None and _looks_in_all(self.request):
            first["selected"], every["selected"] = False, True
        yield from (first, every, *others)


def _looks_in_all(request: HttpRequest) -> bool:
    """Return whether the query string names jobs in another way, so that the default status would hide some."""
    others = {"partial", "finished", "finished_from", "finished_to"}
    states = [request.GET.get(name) == "yes" for name in ("stuck", "late")]
    return bool(others & set(request.GET) or any(states) or request.GET.get("q", "").strip())


class StatusOfItems(admin.ChoicesFieldListFilter):
    """The statuses of items, with the index over all jobs."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the status."""
        return queryset.on_site(self.lookup_val[-1]) if self.lookup_val else queryset  # type: ignore[attr-defined]


class Kind(admin.SimpleListFilter):
    """The registered kinds of job."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the registered kinds."""
        return pipelines.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class Yes(admin.SimpleListFilter):
    """A filter with one choice: yes."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choice."""
        return [("yes", "Yes")]


class YesOrNo(Yes):
    """A filter with two choices: yes and no."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return both choices."""
        return [("yes", "Yes"), ("no", "No")]


class StuckFilter(YesOrNo):
    """Stuck jobs, or those that are not stuck."""

    title = parameter_name = "stuck"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to stuck jobs, or to the others."""
        if self.value() == "no":
            return queryset.filter(stuck="")
        return queryset.stuck() if self.value() else queryset  # type: ignore[attr-defined]


class LateFilter(YesOrNo):
    """Late jobs, or those that are not late."""

    title = parameter_name = "late"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to late jobs, or to the others."""
        return queryset.filter(late=self.value() == "yes") if self.value() else queryset


class PartialFilter(Yes):
    """Partially completed jobs."""

    title = parameter_name = "partial"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to partial jobs."""
        return queryset.filter(partial=True) if self.value() else queryset


class OfWorker(admin.SimpleListFilter):
    """Items that a worker holds or has settled; shown only where the query string names a worker."""

    title = parameter_name = "worker"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the worker of the query string."""
        return [(name, name) for name in request.GET.getlist("worker")[:1] if name]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the worker."""
        return queryset.filter(worker=self.value()) if self.value() else queryset


class OfAccount(admin.SimpleListFilter):
    """Items of an account, by its id; shown only where the query string names one, as links from a worker do."""

    title = parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the account of the query string."""
        return [(number, f"Account {number}") for number in request.GET.getlist("account")[:1] if number]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the account."""
        number = self.value()
        return of_account(queryset, number) if number else queryset  # type: ignore[arg-type]


class WorkerState(admin.SimpleListFilter):
    """The state of a worker by its last sign of life."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the three states."""
        return [(code, status_styles.STYLES[code].label) for code in ("alive", "silent", "gone")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the current state."""
        known = {code for code, _ in self.lookup_choices}
        return getattr(queryset, self.value() or "")(timezone.now()) if self.value() in known else queryset


class Holding(Yes):
    """Workers with leased items."""

    title = parameter_name = "holding"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to these workers."""
        return queryset.holding() if self.value() else queryset  # type: ignore[attr-defined]


class OfJob(admin.ListFilter):
    """Mix-in that applies a filter of jobs to the rows of a pipeline, which have one job each."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows whose jobs pass the filter."""
        every = Job.objects.all()
        jobs = super().queryset(request, every)
        return queryset if jobs is every else queryset.filter(job__in=jobs)
