"""The list of limits of projects."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.models import ProjectLimit
from jobs.rules.formatting import format_number


@admin.register(ProjectLimit)
class ProjectLimitAdmin(ReadOnlyAdmin):
    """Projects with a limit of leased items, and how many are leased."""

    when_empty = "No project is limited. A limit caps the items that workers lease at once in all jobs of a project."
    list_display = ("link", "leased_items", "limit")
    list_display_links = None
    search_fields = ("project",)
    search_help_text = "Part of a project"
    ordering = ("project", "id")
    change_list_template = "jobs/limits/list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProjectLimit]:
        """Add the number of leased items."""
        rows = super().get_queryset(request)
        return rows.with_leased()  # type: ignore[attr-defined]

    def page_of(self, row: ProjectLimit) -> str:
        """Return the page that changes the limit."""
        return f"{reverse('admin:project-limit')}?{urlencode({'project': row.project})}"

    @admin.display(description="Project", ordering="project")
    def link(self, row: ProjectLimit) -> SafeString:
        """The project, with a link to the page of its limit."""
        return format_html('<a href="{}">{}</a>', self.page_of(row), row.project or "jobs without a project")

    @admin.display(description="Leased")
    def leased_items(self, row: ProjectLimit) -> str:
        """The leased items in its unfinished jobs."""
        return format_number(row.leased)  # type: ignore[attr-defined]

    @admin.display(description="Limit", ordering="max_leased")
    def limit(self, row: ProjectLimit) -> str:
        """The largest number of leased items."""
        return format_number(row.max_leased)
