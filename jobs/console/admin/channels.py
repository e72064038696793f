"""The lists of channels and of the messages to them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.base import ids_in_query
from jobs.console.channels.views import visible_channels
from jobs.console.templatetags.progress_pages import clock, due
from jobs.models import Channel, Notification
from jobs.models.notifications import MessageStatus

MOST_CHANNELS = 50


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    """Channels, the newest first."""

    when_empty = "No channel yet. A channel sends incidents to mail, Slack or another service. A lead adds one."
    list_display = ("state", "link", "masked_address", "project_name", "tried", "last_result")
    list_display_links = None
    list_filter = ("active", "kind")
    search_fields = ("name",)
    search_help_text = "Part of a name"
    ordering = ("-id",)
    change_list_template = "jobs/channels/list.html"
    exported = tuple(
        Column(name)
        for name in (
            "id",
            "name",
            "project",
            "kind",
            "masked",
            "active",
            "failing_since",
            "last_tried_at",
            "last_result",
        )
    )

    def page_of(self, row: Channel) -> str:
        """Return the page of the channel."""
        return reverse("admin:channel-page", args=[row.pk])

    @admin.display(description="State")
    def state(self, channel: Channel) -> SafeString:
        """The state: active, failing or disabled."""
        return pill(status_styles.CHANNEL_STYLES[status_styles.channel_state(channel)])

    @admin.display(description="Channel", ordering="name")
    def link(self, channel: Channel) -> SafeString:
        """The name with a link to the page of the channel."""
        return format_html('<a href="{}"><bdi>{}</bdi></a>', self.page_of(channel), channel.name)

    @admin.display(description="Address")
    def masked_address(self, channel: Channel) -> str:
        """The address without its secrets."""
        return channel.masked

    @admin.display(description="Project")
    def project_name(self, channel: Channel) -> str:
        """The project that limits the channel."""
        return channel.project or "the whole site"

    @admin.display(description="Last tried")
    def tried(self, channel: Channel) -> SafeString | str:
        """The time of the latest message."""
        return clock(channel.last_tried_at)


class OfChannel(admin.SimpleListFilter):
    """The channels that are visible to the account."""

    title = parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the channels by name, the newest first."""
        return [(str(each.pk), each.name) for each in visible_channels(request)[:MOST_CHANNELS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        """Narrow to the channel."""
        ids = ids_in_query(request.GET, "channel", most=1)
        return queryset.filter(channel__in=ids) if ids else queryset


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Messages about incidents with their results, the newest first."""

    when_empty = "No message yet. Each channel sends one when an incident of its projects opens."
    owner = (Channel, "channel_id", "project")
    list_display = ("result_pill", "kind", "about", "goes_to", "written", "when", "answer")
    list_display_links = None
    list_filter = ("status", "state", OfChannel)
    list_select_related = ("channel", "incident")
    search_fields = ("subject",)
    search_help_text = "Part of the subject"
    ordering = ("-id",)
    exported = (
        Column("id"),
        Column("channel_id"),
        Column("channel", "channel.name"),
        Column("incident_id"),
        *map(Column, ("state", "status", "subject", "tries", "next_try_at", "created_at", "ended_at", "result")),
    )

    def page_of(self, row: Notification) -> str:
        """Return the page of the incident, or of the channel for a test."""
        if row.incident_id:
            return reverse("admin:incident-page", args=[row.incident_id])
        return reverse("admin:channel-page", args=[row.channel_id])

    @admin.display(description="Result")
    def result_pill(self, message: Notification) -> SafeString:
        """The status."""
        return pill(status_styles.CHANNEL_STYLES[message.status])

    @admin.display(description="Message")
    def kind(self, message: Notification) -> str:
        """The state of the incident that it is about."""
        return message.get_state_display()

    @admin.display(description="Subject")
    def about(self, message: Notification) -> SafeString | str:
        """The title of the incident with a link to its page."""
        if not message.incident_id:
            return message.subject
        return format_html('<a href="{}">{}</a>', self.page_of(message), message.subject)

    @admin.display(description="Channel")
    def goes_to(self, message: Notification) -> SafeString:
        """The channel."""
        page = reverse("admin:channel-page", args=[message.channel_id])
        return format_html('<a href="{}"><bdi>{}</bdi></a>', page, message.channel.name)

    @admin.display(description="Answer")
    def answer(self, message: Notification) -> str:
        """The answer of the service, or why nothing was sent."""
        return message.result

    @admin.display(description="Created")
    def written(self, message: Notification) -> SafeString | str:
        """The time of the incident's change."""
        return clock(message.created_at)

    @admin.display(description="Ended, or next try")
    def when(self, message: Notification) -> SafeString | str:
        """The time when it was sent or given up, or of the next try."""
        waits = message.status == MessageStatus.WAITING
        return due(message.next_try_at) if waits else clock(message.ended_at)
