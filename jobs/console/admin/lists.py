"""The base of the lists: read-only, limited to the projects of the account, with an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path, reverse
from django.utils import timezone
from django.utils.text import slugify

from jobs.console.admin.change_list import MOST_COUNTED, ListMixin, PermissionFirst
from jobs.console.admin.export import FORMATS, Column, attachment, file_chunks, stream
from jobs.console.base import visible_projects

Prepare = Callable[[Sequence[Any]], Sequence[Any]]


class BoundedPaginator(Paginator):
    """A paginator that counts at most ten thousand rows.

    Operators narrow longer lists with filters; a full count would cost more than the page.
    """

    @cached_property
    def count(self) -> int:
        """The number of rows, at most ten thousand."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:MOST_COUNTED].count()


class ReadOnlyAdmin(ListMixin, PermissionFirst, admin.ModelAdmin):
    """A list of rows that workers own.

    owner     the related row with the project: its model, the key of this row, the path to the project
    follows   relations that are prefetched for the rows of one page. With a join the database would start at the jobs
              and sort all their rows; so would a join to find the project
    exported  the columns of the export; a list without them has none
    when_empty  the sentences of a list without any row: the kind of rows, and where they come from
    """

    owner: tuple[type[Model], str, str] | None = None
    follows: tuple[str, ...] = ()
    exported: tuple[Column, ...] = ()
    exported_as = ""
    when_empty = ""
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    show_facets = admin.ShowFacets.NEVER
    view_on_site = False
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the projects that are visible to the account."""
        rows = super().get_queryset(request).prefetch_related(*self.follows)
        projects = visible_projects(request)
        if projects is None:
            return rows
        if self.owner is None:
            return rows.filter(project__in=projects)
        model, key, project = self.owner
        return rows.filter(Exists(model._default_manager.filter(pk=OuterRef(key), **{f"{project}__in": projects})))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find whole names, which may have spaces; else rows with each of the words."""
        exact = [field.removeprefix("=") for field in self.search_fields if field.startswith("=")]
        if exact and len(search_term.split()) > 1:
            whole = queryset.filter(reduce(or_, (Q(**{f"{field}__iexact": search_term}) for field in exact)))
            if whole.exists():
                return whole, False
        return super().get_search_results(request, queryset, search_term)

    def page_of(self, row: Any) -> str:
        """Return the page of a row in the operator console; empty where the admin shows its fields."""
        return ""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Redirect to the page of the row; to the list where the row does not exist."""
        if type(self).page_of is ReadOnlyAdmin.page_of:
            return super().change_view(request, object_id, form_url, extra_context)
        row = self.get_object(request, object_id)
        changelist = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return HttpResponseRedirect(reverse(changelist) if row is None else self.page_of(row))

    def get_urls(self) -> list[URLPattern]:
        """Add the export to the pages of the list."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export_view)
        own = [re_path(rf"^export\.(?P<notation>{'|'.join(FORMATS)})$", view, name=name)] if self.exported else []
        return [*own, *super().get_urls()]

    def export_view(self, request: HttpRequest, notation: str) -> HttpResponseBase:
        """Return all rows as a file, with the filters, the search and the order of the query string."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        if any("\0" in value for value in request.GET.values()):
            return HttpResponseRedirect("./")
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect("./?e=1")
        return self._file(request, rows, notation)

    def exported_rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Prepare the rows of a batch for the columns of the file."""
        return rows

    def _file(
        self, request: HttpRequest, rows: QuerySet[Any], notation: str, *, prepare: Prepare | None = None
    ) -> HttpResponseBase:
        writer = FORMATS[notation]()
        chunks = file_chunks(rows, self.exported, writer, prepare=prepare or self.exported_rows)
        name = self.exported_as or slugify(str(self.opts.verbose_name_plural))
        return attachment(
            lambda: stream(self.exported, writer, chunks),
            name=f"{name}-{timezone.now():%Y-%m-%d}.{notation}",
            media_type=writer.media_type,
            head=request.method == "HEAD",
        )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: workers add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: only acts and workers change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: only pruning deletes rows."""
        return False


class KindAdmin(ReadOnlyAdmin):
    """A list of one kind of job or of its parts. It needs the permission to see jobs."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Check the permission to see jobs."""
        return request.user.has_perm("jobs.view_job")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Check the permission to see jobs."""
        return self.has_view_permission(request)
