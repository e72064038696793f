"""What every list has in common: read-only, limited to the account's projects, quick whatever its length."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst

from jobs.models.jobs import projects_of

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts no further than ten thousand rows: longer lists are narrowed by filters, not paged through."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most ten thousand."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:MOST_COUNTED].count()


class ReadOnlyAdmin(admin.ModelAdmin):
    """A list that shows what workers have written. `owner` says by which other row its project
    is known: the model, the key, and the way from there.

    What `follows` names is fetched for the rows of one page: a join would make the database begin at the jobs
    and sort all their rows, and so would one to find the project.
    """

    owner: tuple[type[Model], str, str] | None = None
    follows: tuple[str, ...] = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    show_facets = admin.ShowFacets.NEVER
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only rows of the projects that this account is limited to."""
        rows = super().get_queryset(request).prefetch_related(*self.follows)
        projects = projects_of(request.user)
        if projects is None:
            return rows
        if self.owner is None:
            return rows.filter(project__in=projects)
        model, key, project = self.owner
        return rows.filter(Exists(model._default_manager.filter(pk=OuterRef(key), **{f"{project}__in": projects})))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Called by what it lists. No row holds a NUL, and no database takes one as a question."""
        if any("\0" in value for value in request.GET.values()):
            return HttpResponseRedirect(request.path)
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
