"""The list of dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.deliveries.dead_letters import MOST_AT_ONCE
from jobs.console.templatetags.progress_pages import clock
from jobs.models import InboxMessage
from jobs.models.events import InboxStatus


class Status(admin.SimpleListFilter):
    """Those that are dead, unless something else is asked for."""

    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Replayed ones, and all."""
        return [("all", "All"), (InboxStatus.REPLAYED, "Replayed")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """The default says what it is."""
        first, *others = super().choices(changelist)
        yield {**first, "display": "Dead"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> QuerySet[InboxMessage]:
        """Narrow to the status."""
        if self.value() == "all":
            return queryset
        return queryset.filter(status=InboxStatus.REPLAYED if self.value() else InboxStatus.DEAD)


@admin.action(description="Take again…", permissions=["replay"])
def replay(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> HttpResponse:
    """To the page that asks first."""
    ids = list(queryset.order_by("-pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(ids) > MOST_AT_ONCE:
        model_admin.message_user(request, f"Tick at most {MOST_AT_ONCE} letters at once.", "error")
        return HttpResponseRedirect(request.get_full_path())
    query = urlencode({"letter": ids, "back": request.get_full_path()}, doseq=True)
    return HttpResponseRedirect(f"{reverse('admin:letters-replay')}?{query}")


@admin.register(InboxMessage)
class LetterAdmin(ReadOnlyAdmin):
    """Messages that were refused, the newest first; those that were applied are no letters."""

    list_display = ("state", "name", "source", "reason", "received")
    list_display_links = None
    list_filter = (Status,)
    search_fields = ("=type", "=source")
    search_help_text = "Type or source, whole"
    ordering = ("-id",)
    exported = tuple(map(Column, ("id", "status", "type", "source", "reason", "payload", "received_at")))
    exported_as = "dead-letters"
    actions = (replay,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxMessage]:
        """Only letters, and only for accounts without limits."""
        return InboxMessage.objects.letters().visible_to(request.user).order_by(*self.ordering)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Called by what it lists."""
        return super().changelist_view(request, {"title": "Dead letters", **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of the letter instead of a form of columns."""
        letter = self.get_object(request, object_id)
        if letter is None:
            return HttpResponseRedirect(reverse("admin:jobs_inboxmessage_changelist"))
        return HttpResponseRedirect(reverse("admin:letter-page", args=[letter.pk]))

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Who may take letters again?"""
        return request.user.has_perm("jobs.replay_event")

    @admin.display(description="Status")
    def state(self, letter: InboxMessage) -> SafeString:
        """Dead or replayed."""
        return pill(status_styles.DELIVERY_STYLES[letter.status])

    @admin.display(description="Type", ordering="type")
    def name(self, letter: InboxMessage) -> SafeString:
        """The type, leading to the page of the letter."""
        address = reverse("admin:letter-page", args=[letter.pk])
        return format_html('<a href="{}">{}</a>', address, letter.type or "without a type")

    @admin.display(description="Received")
    def received(self, letter: InboxMessage) -> SafeString | str:
        """When it came first."""
        return clock(letter.received_at)
