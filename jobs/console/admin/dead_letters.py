"""The list of dead letters."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.action_mixin import confirm_selected
from jobs.console.admin.columns import pill
from jobs.console.admin.export import Column
from jobs.console.admin.filters import DefaultFilter
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.deliveries.dead_letters import MOST_AT_ONCE
from jobs.console.templatetags.progress_pages import clock
from jobs.models import InboxMessage
from jobs.models.events import InboxStatus


class LetterStatus(DefaultFilter):
    """The statuses of letters; by default dead ones."""

    title = parameter_name = "status"
    default_label = "Dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return all and replayed."""
        return [("all", "All"), (InboxStatus.REPLAYED, "Replayed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> QuerySet[InboxMessage]:
        """Narrow to the status."""
        if self.value() == "all":
            return queryset
        return queryset.filter(status=InboxStatus.REPLAYED if self.value() else InboxStatus.DEAD)


@admin.action(description="Process again…", permissions=["replay"])
def replay(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> HttpResponse:
    """Open the confirmation page."""
    ids = queryset.order_by("-pk").values_list("pk", flat=True)
    return confirm_selected(request, ids, most=MOST_AT_ONCE, page="admin:letters-replay", name="letter")


@admin.register(InboxMessage)
class LetterAdmin(ReadOnlyAdmin):
    """Refused messages, the newest first."""

    when_empty = "A message from the broker that breaks its format is kept here, with the reason."
    list_display = ("state", "name", "source", "reason", "received")
    list_display_links = None
    noun_one, noun_many = "rejected message", "rejected messages"
    list_filter = (LetterStatus,)
    search_fields = ("=type", "=source")
    search_help_text = "Type or source, whole"
    ordering = ("-id",)
    exported = tuple(map(Column, ("id", "status", "type", "source", "reason", "payload", "received_at")))
    exported_as = "dead-letters"
    actions = (replay,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxMessage]:
        """Return dead and replayed letters; accounts that are limited to projects see none."""
        return InboxMessage.objects.letters().visible_to(request.user).order_by(*self.ordering)

    def page_of(self, row: InboxMessage) -> str:
        """Return the page of the letter."""
        return reverse("admin:letter-page", args=[row.pk])

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the account may process letters again."""
        return request.user.has_perm("jobs.replay_event")

    @admin.display(description="Status")
    def state(self, letter: InboxMessage) -> SafeString:
        """The status: dead or replayed."""
        return pill(status_styles.DELIVERY_STYLES[letter.status])

    @admin.display(description="Type", ordering="type")
    def name(self, letter: InboxMessage) -> SafeString:
        """The type with a link to the page of the letter."""
        return format_html('<a href="{}">{}</a>', self.page_of(letter), letter.type or "no type")

    @admin.display(description="Received")
    def received(self, letter: InboxMessage) -> SafeString | str:
        """The time when it arrived first."""
        return clock(letter.received_at)
