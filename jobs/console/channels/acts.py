"""The acts on a channel: send a test, disable, enable, remove."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs import operations
from jobs.console.channels.views import MANAGE, channel_not_found, manages, visible_channels
from jobs.console.receiver_acts import Effects, ReceiverAct, ReceiverActView
from jobs.models import Channel
from jobs.rules.formatting import pluralize


def _test(view: ReceiverActView[Channel], reason: str) -> None:
    answer = operations.try_channel(view.receiver, actor=view.user)
    say = messages.success if answer.sent else messages.error
    say(view.request, answer.text if answer.sent else f"The test message was not sent. {answer.text}")


def _disable(view: ReceiverActView[Channel], reason: str) -> None:
    operations.change_channel(view.receiver, active=False, actor=view.user)
    messages.success(view.request, "The channel is disabled and gets no more messages.")


def _enable(view: ReceiverActView[Channel], reason: str) -> None:
    operations.change_channel(view.receiver, active=True, actor=view.user)
    messages.success(view.request, "The channel is enabled and gets messages about new incidents.")


def _remove(view: ReceiverActView[Channel], reason: str) -> HttpResponse:
    waiting = operations.remove_channel(view.receiver, actor=view.user, reason=reason)
    messages.success(view.request, f"{view.receiver.name} is removed, with {pluralize(waiting, 'waiting message')}.")
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


CHANNEL_ACTS: dict[str, ReceiverAct[Channel]] = {
    "test": ReceiverAct("Send a test", _test_effects, _test),
    "disable": ReceiverAct("Disable", _disable_effects, _disable, grave=True),
    "enable": ReceiverAct("Enable", _enable_effects, _enable),
    "remove": ReceiverAct("Remove", _remove_effects, _remove, needs_reason=True, grave=True),
}


class ChannelActView(ReceiverActView[Channel]):
    """The confirmation page of an act on a channel."""

    acts = CHANNEL_ACTS

    def __init__(self, request: HttpRequest, site: AdminSite, channel_id: int, slug: str) -> None:
        super().__init__(request, site, slug)
        self.channel_id = channel_id

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return channel_not_found(self.channel_id)

    @property
    def back(self) -> str:
        """The page of the channel."""
        return reverse("admin:channel-page", args=[self.receiver.pk])

    def missing_permission(self) -> str:
        """Check the permission to manage channels."""
        return "" if manages(self.request) else MANAGE

    def found(self) -> Channel | None:
        """Find the channel."""
        return visible_channels(self.request).filter(pk=self.channel_id).first()

    def name_and_address(self) -> tuple[str, str]:
        """Return the name and the masked address."""
        return self.receiver.name, self.receiver.masked
