"""The list of bulk acts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.bulk.summary_text import headline
from jobs.console.templatetags.progress_pages import clock
from jobs.models import BulkAct
from jobs.operations.registry import ACTS
from jobs.rules.formatting import format_number


class ByAct(admin.SimpleListFilter):
    """The acts."""

    title = parameter_name = "act"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every registered act."""
        return [(act.name, act.label) for act in ACTS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BulkAct]) -> QuerySet[BulkAct]:
        """Narrow to the act."""
        return queryset.filter(act=self.value()) if self.value() else queryset


@admin.register(BulkAct)
class BulkActAdmin(ReadOnlyAdmin):
    """Bulk acts, the newest first."""

    when_empty = "No bulk act yet. Tick rows of a list, or select all that match, and choose an act."
    list_display = ("state", "link", "chosen", "so_far", "actor", "started", "ended", "reason")
    list_display_links = None
    list_filter = ("status", ByAct)
    search_fields = ("=actor",)
    search_help_text = "The whole name of an account"
    ordering = ("-id",)
    exported = (
        *map(Column, ("id", "act", "actor", "chosen", "scope", "reason", "status", "ended_by")),
        *map(Column, ("total", "done", "unchanged", "refused", "changed", "created_at", "worked_at", "finished_at")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAct]:
        """Return the bulk acts that are visible to the account."""
        return BulkAct.objects.visible_to(request.user)

    def page_of(self, row: BulkAct) -> str:
        """Return the page of the bulk act."""
        return row.get_absolute_url()

    @admin.display(description="Status")
    def state(self, bulk: BulkAct) -> SafeString:
        """The status."""
        return pill(status_styles.BULK_STYLES[bulk.status])

    @admin.display(description="Act")
    def link(self, bulk: BulkAct) -> SafeString:
        """The act with a link to its page."""
        title = f"{ACTS[bulk.act].label} {format_number(bulk.total)} jobs"
        return format_html('<a href="{}">{}</a>', bulk.get_absolute_url(), title)

    @admin.display(description="Done")
    def so_far(self, bulk: BulkAct) -> str:
        """The result so far."""
        return headline(bulk)

    @admin.display(description="Started", ordering="created_at")
    def started(self, bulk: BulkAct) -> SafeString | str:
        """The time of the confirmation."""
        return clock(bulk.created_at)

    @admin.display(description="Ended")
    def ended(self, bulk: BulkAct) -> SafeString | str:
        """The time when the last job was done or the act was stopped."""
        return clock(bulk.finished_at)
