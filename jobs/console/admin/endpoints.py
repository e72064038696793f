"""The list of endpoints."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import pill
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.deliveries.delivery_queries import place
from jobs.models import Delivery, Endpoint
from jobs.rules.formatting import DASH


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    """Where outward events go, the newest first."""

    list_display = ("state", "link", "url", "told_of", "project_name", "unsent")
    list_display_links = None
    list_filter = ("active",)
    search_fields = ("name", "url")
    search_help_text = "Part of name or address"
    ordering = ("-id",)
    change_list_template = "jobs/endpoint_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        """With whether something waits or is dead."""
        own = Delivery.objects.filter(endpoint=OuterRef("pk"))
        rows: QuerySet[Endpoint] = super().get_queryset(request)
        return rows.annotate(waits=Exists(own.waiting()), died=Exists(own.dead()))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of the endpoint instead of a form of columns."""
        endpoint = self.get_object(request, object_id)
        if endpoint is None:
            return HttpResponseRedirect(reverse("admin:jobs_endpoint_changelist"))
        return HttpResponseRedirect(reverse("admin:endpoint-page", args=[endpoint.pk]))

    @admin.display(description="State")
    def state(self, endpoint: Endpoint) -> SafeString:
        """Active or disabled."""
        return pill(status_styles.DELIVERY_STYLES["active" if endpoint.active else "disabled"])

    @admin.display(description="Endpoint", ordering="name")
    def link(self, endpoint: Endpoint) -> SafeString:
        """What it is called, leading to its page."""
        return format_html('<a href="{}">{}</a>', reverse("admin:endpoint-page", args=[endpoint.pk]), place(endpoint))

    @admin.display(description="Told of")
    def told_of(self, endpoint: Endpoint) -> str:
        """Its patterns."""
        return ", ".join(endpoint.types)

    @admin.display(description="Project")
    def project_name(self, endpoint: Endpoint) -> str:
        """The project, if it is limited to one."""
        return endpoint.project or "every job"

    @admin.display(description="Not sent")
    def unsent(self, endpoint: Endpoint) -> SafeString | str:
        """Whether something waits or was given up, leading to it."""
        address = reverse("admin:jobs_delivery_changelist")
        there = {"waiting": endpoint.waits, "dead": endpoint.died}  # type: ignore[attr-defined]
        links = [
            (address, status, endpoint.pk, pill(status_styles.DELIVERY_STYLES[status]))
            for status, some in there.items()
            if some
        ]
        return format_html_join(" ", '<a href="{}?status={}&amp;endpoint={}">{}</a>', links) or DASH
