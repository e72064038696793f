"""The list of deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import job_link, pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.deliveries.delivery_queries import place, visible_endpoints
from jobs.console.deliveries.replay import MOST_AT_ONCE
from jobs.console.templatetags.progress_pages import clock, due
from jobs.models import Delivery, Job
from jobs.models.outbox import DeliveryStatus

MOST_ENDPOINTS = 50


class Status(admin.SimpleListFilter):
    """What is not sent, unless something else is asked for."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each status, and all."""
        return [("all", "All"), *((status, status_styles.DELIVERY_STYLES[status].label) for status in DeliveryStatus)]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """The default says what it is."""
        first, *others = super().choices(changelist)
        yield {**first, "display": "Not sent"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Narrow to the status."""
        if self.value() in list(DeliveryStatus):
            return queryset.filter(status=self.value())
        unsent = (DeliveryStatus.WAITING, DeliveryStatus.DEAD)
        return queryset if self.value() == "all" else queryset.filter(status__in=unsent)


class AtEndpoint(admin.SimpleListFilter):
    """The endpoints in the account's sight."""

    title = parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """By name, the newest first."""
        found = visible_endpoints(request)
        return [(str(each.pk), place(each)) for each in (found[:MOST_ENDPOINTS] if found is not None else ())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Narrow to the endpoint."""
        wanted = self.value() or ""
        return (
            queryset.filter(endpoint=int(wanted))
            if wanted.isascii() and wanted.isdigit() and len(wanted) < 19
            else queryset
        )


@admin.action(description="Deliver again…", permissions=["replay"])
def replay(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
    """To the page that asks first."""
    ids = list(queryset.order_by("-pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(ids) > MOST_AT_ONCE:
        model_admin.message_user(request, f"Tick at most {MOST_AT_ONCE} deliveries at once.", "error")
        return HttpResponseRedirect(request.get_full_path())
    query = urlencode({"delivery": ids, "back": request.get_full_path()}, doseq=True)
    return HttpResponseRedirect(f"{reverse('admin:replay')}?{query}")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What waits and what is dead, unless something else is asked for; the newest first."""

    owner = (Job, "job_id", "project")
    list_display = ("state", "name", "link", "goes_to", "written", "when", "error")
    list_display_links = None
    list_filter = (Status, AtEndpoint)
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
        Column("endpoint", lambda delivery: place(delivery.endpoint)),
        *map(Column, ("status", "tries", "next_try_at", "error", "response_status", "created_at", "sent_at")),
    )
    actions = (replay,)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Who may deliver again?"""
        return request.user.has_perm("jobs.replay_event")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """By what is indexed."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(event__event_id=UUID(search_term)), False
        except ValueError:
            return queryset.filter(job__name=search_term), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of the delivery instead of a form of columns."""
        delivery = self.get_object(request, object_id)
        if delivery is None:
            return HttpResponseRedirect(reverse("admin:jobs_delivery_changelist"))
        return HttpResponseRedirect(reverse("admin:delivery-page", args=[delivery.pk]))

    @admin.display(description="Status")
    def state(self, delivery: Delivery) -> SafeString:
        """The pill."""
        return pill(status_styles.DELIVERY_STYLES[delivery.status])

    @admin.display(description="Event")
    def name(self, delivery: Delivery) -> SafeString:
        """The type, leading to the page of the delivery."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:delivery-page", args=[delivery.pk]), delivery.event.type
        )

    @admin.display(description="Job")
    def link(self, delivery: Delivery) -> SafeString | str:
        """The job."""
        return job_link(delivery.job)

    @admin.display(description="Endpoint")
    def goes_to(self, delivery: Delivery) -> str:
        """What the endpoint is called."""
        return place(delivery.endpoint)

    @admin.display(description="Written")
    def written(self, delivery: Delivery) -> SafeString | str:
        """When the event happened."""
        return clock(delivery.created_at)

    @admin.display(description="Sent, or next try")
    def when(self, delivery: Delivery) -> SafeString | str:
        """When the endpoint took it, or when it is tried again."""
        return due(delivery.next_try_at) if delivery.status == DeliveryStatus.WAITING else clock(delivery.sent_at)
