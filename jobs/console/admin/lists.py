"""What every list has in common: read-only, limited to the account's projects, quick whatever its length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from django.utils import timezone
from django.utils.text import capfirst, slugify

from jobs.console.admin.export import NOTATIONS, Column, attached, pieces, stream
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
    and sort all their rows, and so would one to find the project. `exported` are the columns of its files; a list
    without them has none.
    """

    owner: tuple[type[Model], str, str] | None = None
    follows: tuple[str, ...] = ()
    exported: tuple[Column, ...] = ()
    exported_as = ""
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

    def get_urls(self) -> list[URLPattern]:
        """The list as a file, beside its pages."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        door = self.admin_site.admin_view(self.export_view)
        own = [re_path(rf"^export\.(?P<notation>{'|'.join(NOTATIONS)})$", door, name=name)] if self.exported else []
        return [*own, *super().get_urls()]

    def export_view(self, request: HttpRequest, notation: str) -> HttpResponseBase:
        """All rows that the filters, the search and the order of the address give, as a file."""
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
        """The rows of a portion as the columns of a file read them."""
        return rows

    def _file(self, request: HttpRequest, rows: QuerySet[Any], notation: str) -> HttpResponseBase:
        written = NOTATIONS[notation]()
        following = pieces(rows, self.exported, written, prepare=self.exported_rows)
        name = self.exported_as or slugify(str(self.opts.verbose_name_plural))
        return attached(
            lambda: stream(self.exported, written, following),
            name=f"{name}-{timezone.now():%Y-%m-%d}.{notation}",
            media_type=written.media_type,
            head=request.method == "HEAD",
        )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Workers add."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only verbs change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pruning deletes."""
        return False


class KindAdmin(ReadOnlyAdmin):
    """A list of one kind of job, or of the parts that such jobs have: whoever may see jobs may see it."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission that jobs need."""
        return request.user.has_perm("jobs.view_job")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same for the section of the app."""
        return self.has_view_permission(request)
