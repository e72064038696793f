"""The list of endpoints."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import pill
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.deliveries.delivery_queries import endpoint_name
from jobs.models import Delivery, Endpoint
from jobs.rules.formatting import DASH


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    """Endpoints of outward events, the newest first."""

    when_empty = "No endpoint yet. An endpoint is a program that receives events as signed calls. A lead adds one."
    list_display = ("state", "link", "url", "events", "project_name", "unsent")
    list_display_links = None
    list_filter = ("active",)
    search_fields = ("name", "url")
    search_help_text = "Part of name or address"
    ordering = ("-id",)
    change_list_template = "jobs/deliveries/endpoint_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        """Add whether an endpoint has waiting or dead deliveries."""
        own = Delivery.objects.filter(endpoint=OuterRef("pk"))
        rows: QuerySet[Endpoint] = super().get_queryset(request)
        return rows.annotate(waits=Exists(own.waiting()), died=Exists(own.dead()))

    def page_of(self, row: Endpoint) -> str:
        """Return the page of the endpoint."""
        return reverse("admin:endpoint-page", args=[row.pk])

    @admin.display(description="State")
    def state(self, endpoint: Endpoint) -> SafeString:
        """The state: active or disabled."""
        return pill(status_styles.DELIVERY_STYLES["active" if endpoint.active else "disabled"])

    @admin.display(description="Endpoint", ordering="name")
    def link(self, endpoint: Endpoint) -> SafeString:
        """The name with a link to the page of the endpoint."""
        return format_html('<a href="{}"><bdi>{}</bdi></a>', self.page_of(endpoint), endpoint_name(endpoint))

    @admin.display(description="Events")
    def events(self, endpoint: Endpoint) -> str:
        """The patterns of event types."""
        return ", ".join(endpoint.types)

    @admin.display(description="Project")
    def project_name(self, endpoint: Endpoint) -> str:
        """The project that limits the endpoint."""
        return endpoint.project or "every job"

    @admin.display(description="Not sent")
    def unsent(self, endpoint: Endpoint) -> SafeString | str:
        """Links to the waiting and the dead deliveries."""
        address = reverse("admin:jobs_delivery_changelist")
        unsent = {"waiting": endpoint.waits, "dead": endpoint.died}  # type: ignore[attr-defined]
        links = [
            (address, status, endpoint.pk, pill(status_styles.DELIVERY_STYLES[status]))
            for status, exists in unsent.items()
            if exists
        ]
        return format_html_join(" ", '<a href="{}?status={}&amp;endpoint={}">{}</a>', links) or DASH
