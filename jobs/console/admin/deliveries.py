"""The list of deliveries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.action_mixin import confirm_selected
from jobs.console.admin.columns import isolated, job_link, pill
from jobs.console.admin.export import Column
from jobs.console.admin.filters import DefaultFilter
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.base import ids_in_query
from jobs.console.deliveries.delivery_queries import endpoint_name, visible_endpoints
from jobs.console.deliveries.replay import MOST_AT_ONCE
from jobs.console.templatetags.progress_pages import clock, due
from jobs.models import Delivery, Job
from jobs.models.outbox import DeliveryStatus

MOST_ENDPOINTS = 50


class DeliveryState(DefaultFilter):
    """The statuses of deliveries; by default those that are not sent."""

    title = parameter_name = "status"
    default_label = "Not sent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every status, and all."""
        return [("all", "All"), *((status, status_styles.DELIVERY_STYLES[status].label) for status in DeliveryStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Narrow to the status."""
        if self.value() in list(DeliveryStatus):
            return queryset.filter(status=self.value())
        unsent = (DeliveryStatus.WAITING, DeliveryStatus.DEAD)
        return queryset if self.value() == "all" else queryset.filter(status__in=unsent)


class AtEndpoint(admin.SimpleListFilter):
    """The endpoints that are visible to the account."""

    title = parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the endpoints by name, the newest first."""
        found = visible_endpoints(request)
        return [(str(each.pk), endpoint_name(each)) for each in (found[:MOST_ENDPOINTS] if found is not None else ())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Narrow to the endpoint."""
        ids = ids_in_query(request.GET, "endpoint", most=1)
        return queryset.filter(endpoint__in=ids) if ids else queryset


@admin.action(description="Deliver again…", permissions=["replay"])
def replay(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
    """Open the confirmation page."""
    ids = queryset.order_by("-pk").values_list("pk", flat=True)
    return confirm_selected(request, ids, most=MOST_AT_ONCE, page="admin:replay", name="delivery")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Deliveries, the newest first."""

    when_empty = "Each event that an endpoint asks for is sent to it, with its tries listed here."
    owner = (Job, "job_id", "project")
    list_display = ("state", "name", "link", "goes_to", "written", "when", "error")
    list_display_links = None
    list_filter = (DeliveryState, AtEndpoint)
    list_select_related = ("event", "job", "endpoint")
    search_fields = ("job",)
    search_help_text = "Job or event id, whole"
    ordering = ("-id",)
    exported = (
        Column("id"),
        Column("event_id", "event.event_id"),
        Column("type", "event.type"),
        Column("job_id"),
        Column("job", "job.name"),
        Column("endpoint_id"),
        Column("endpoint", lambda delivery: endpoint_name(delivery.endpoint)),
        *map(Column, ("status", "tries", "next_try_at", "error", "response_status", "created_at", "sent_at")),
    )
    actions = (replay,)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the account may deliver events again."""
        return request.user.has_perm("jobs.replay_event")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Search by event id or by the whole name of a job; both are indexed."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(event__event_id=UUID(search_term)), False
        except ValueError:
            return queryset.filter(job__name=search_term), False

    def page_of(self, row: Delivery) -> str:
        """Return the page of the delivery."""
        return reverse("admin:delivery-page", args=[row.pk])

    @admin.display(description="Status")
    def state(self, delivery: Delivery) -> SafeString:
        """The status."""
        return pill(status_styles.DELIVERY_STYLES[delivery.status])

    @admin.display(description="Event")
    def name(self, delivery: Delivery) -> SafeString:
        """The event type with a link to the page of the delivery."""
        return format_html('<a href="{}">{}</a>', self.page_of(delivery), delivery.event.type)

    @admin.display(description="Job")
    def link(self, delivery: Delivery) -> SafeString | str:
        """The job."""
        return job_link(delivery.job)

    @admin.display(description="Endpoint")
    def goes_to(self, delivery: Delivery) -> SafeString | str:
        """The name of the endpoint."""
        return isolated(endpoint_name(delivery.endpoint))

    @admin.display(description="Created")
    def written(self, delivery: Delivery) -> SafeString | str:
        """The time of the event."""
        return clock(delivery.created_at)

    @admin.display(description="Sent, or next try")
    def when(self, delivery: Delivery) -> SafeString | str:
        """The time when the endpoint accepted it, or of the next try."""
        return due(delivery.next_try_at) if delivery.status == DeliveryStatus.WAITING else clock(delivery.sent_at)
