"""What every list has in common: read-only, limited to the account's projects, quick whatever its length."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from jobs.models.jobs import projects_of

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts no further than ten thousand rows: longer lists are narrowed by filters, not paged through."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most ten thousand."""
        return int(self.object_list.order_by()[:MOST_COUNTED].count())


class ReadOnlyAdmin(admin.ModelAdmin):
    """A list that shows what workers have written. `project` is the way from a row to its job's project."""

    project = ""
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    show_facets = admin.ShowFacets.NEVER
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only rows of the projects that this account is limited to."""
        rows = super().get_queryset(request)
        projects = projects_of(request.user)
        return rows.filter(**{f"{self.project}__in": projects}) if projects is not None else rows

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Called by what it lists."""
        title = capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Workers add."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only verbs change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pruning deletes."""
        return False
