"""The acts on a channel: send a test, disable, enable, remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.channels.views import MANAGE, channel_not_found, manages, visible_channels
from jobs.console.confirm_view import ConfirmView, ReasonForm
from jobs.models import Channel
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

Effects = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChannelAct:
    """An act on a channel: its label, its effects in sentences, and the function that does it."""

    label: str
    effects: Callable[[Channel], Effects]
    execute: Callable[[ChannelActView, str], HttpResponse | None]
    needs_reason: bool = False
    grave: bool = False


class ChannelActView(ConfirmView):
    """The confirmation page of an act on a channel."""

    channel: Channel

    def __init__(self, request: HttpRequest, site: AdminSite, channel_id: int, slug: str) -> None:
        super().__init__(request, site)
        self.channel_id, self.act = channel_id, CHANNEL_ACTS[slug]
        self.grave = self.act.grave

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return channel_not_found(self.channel_id)

    @property
    def back(self) -> str:
        """The page of the channel."""
        return reverse("admin:channel-page", args=[self.channel.pk])

    def missing_permission(self) -> str:
        """Check the permission to manage channels."""
        return "" if manages(self.request) else MANAGE

    def find(self) -> bool:
        """Find the channel."""
        channel = visible_channels(self.request).filter(pk=self.channel_id).first()
        if channel is not None:
            self.channel = channel
        return channel is not None

    def form(self) -> forms.Form:
        """Return a form with a reason where the act keeps one."""
        form_class = ReasonForm if self.act.needs_reason else forms.Form
        return form_class(self.request.POST if self.is_confirmed else None)

    def context(self) -> dict[str, Any]:
        """Describe the effects."""
        return {
            "title": f"{self.act.label}: {self.channel.name}",
            "effects": [("Address", self.channel.masked), *self.act.effects(self.channel)],
            "button": self.act.label,
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Act, and show the refusal if there is one."""
        try:
            response = self.act.execute(self, form.cleaned_data.get("reason", ""))
        except Refused as error:
            messages.error(self.request, error.detail)
            response = None
        return response or self.go_back()


def _test(view: ChannelActView, reason: str) -> None:
    answer = operations.try_channel(view.channel, actor=view.user)
    say = messages.success if answer.sent else messages.error
    say(view.request, answer.text if answer.sent else f"The test message was not sent. {answer.text}")


def _disable(view: ChannelActView, reason: str) -> None:
    operations.change_channel(view.channel, active=False, actor=view.user)
    messages.success(view.request, "The channel is disabled and gets no more messages.")


def _enable(view: ChannelActView, reason: str) -> None:
    operations.change_channel(view.channel, active=True, actor=view.user)
    messages.success(view.request, "The channel is enabled and gets messages about new incidents.")


def _remove(view: ChannelActView, reason: str) -> HttpResponse:
    waiting = operations.remove_channel(view.channel, actor=view.user, reason=reason)
    messages.success(view.request, f"{view.channel.name} is removed, with {pluralize(waiting, 'waiting message')}.")
    return HttpResponseRedirect(reverse("admin:jobs_channel_changelist"))


def _test_effects(channel: Channel) -> Effects:
    return [
        ("Will be sent", "One message now, which says that it is a test."),
        ("Result", "The next page shows the answer of the service, and so does the log of the channel."),
    ]


def _disable_effects(channel: Channel) -> Effects:
    return [
        ("Waiting", f"{pluralize(channel.messages.waiting().count(), 'message')} will not be sent."),
        ("New incidents", "No message about them goes to this channel."),
        ("Undo", "Enable the channel."),
    ]


def _enable_effects(channel: Channel) -> Effects:
    return [("New incidents", "Messages about them go to this channel, as its rules say.")]


def _remove_effects(channel: Channel) -> Effects:
    rules = pluralize(channel.rules.count(), "rule")
    return [("Lost", f"The address, {rules}, and the log of its messages."), ("Undo", "Not possible.")]


CHANNEL_ACTS: dict[str, ChannelAct] = {
    "test": ChannelAct("Send a test", _test_effects, _test),
    "disable": ChannelAct("Disable", _disable_effects, _disable, grave=True),
    "enable": ChannelAct("Enable", _enable_effects, _enable),
    "remove": ChannelAct("Remove", _remove_effects, _remove, needs_reason=True, grave=True),
}
