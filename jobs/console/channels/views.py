"""The pages of channels: add one, change it, its rules, and its latest messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from jobs import operations
from jobs.access import access_of
from jobs.console.base import forbidden_page, not_found_page, render_page
from jobs.console.channels.forms import ChannelChangeForm, ChannelForm, RuleForm, channel_initial, initial_of
from jobs.models import Channel, NotificationRule
from jobs.models.notifications import ChannelKind
from jobs.operations.notification_rules import describe_rule
from jobs.rules.errors import BadInput, Refused

SEE = "To see channels, your account needs the permission jobs.view_channel (role viewer)."
MANAGE = "To manage channels, your account needs the permission jobs.manage_channels (role lead)."
LISTED = 10
FORM_PAGE = "jobs/channels/form.html"


def manages(request: HttpRequest) -> bool:
    """Return whether this account may add, change, test and remove channels."""
    return request.user.has_perm("jobs.manage_channels")


def visible_channels(request: HttpRequest) -> QuerySet[Channel]:
    """Return the channels of the account's projects."""
    access = access_of(request.user)
    found = Channel.objects.all()
    return found if access.projects is None else found.filter(project__in=access.projects)


def channel_not_found(channel_id: int) -> str:
    """Return the sentence of the 404 page."""
    return f"Channel {channel_id} does not exist or is not visible to you. It may have been removed."


def channel_page(request: HttpRequest, site: AdminSite, channel_id: int) -> HttpResponse:
    """Show a channel: its latest result, its rules, its latest messages."""
    if not request.user.has_perm("jobs.view_channel"):
        return forbidden_page(request, site, SEE)
    channel = visible_channels(request).filter(pk=channel_id).first()
    if channel is None:
        return not_found_page(request, site, channel_not_found(channel_id))
    context = {
        "title": channel.name,
        "channel": channel,
        "needs_address": operations.needs_address(channel),
        "may_manage": manages(request),
        "rules": [(rule, describe_rule(rule)) for rule in channel.rules.all()],
        "latest": channel.messages.select_related("incident").order_by("-pk")[:LISTED],
        "may_see_messages": request.user.has_perm("jobs.view_notification"),
        "may_see_incidents": request.user.has_perm("jobs.view_incident"),
    }
    return render_page(request, site, "jobs/channels/channel.html", context)


@never_cache
def add_channel(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Add a channel."""
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    form = ChannelForm(request.POST or None)
    made = _act(form, lambda: operations.add_channel(**form.cleaned_data, actor=_user(request)))
    if made is not None:
        messages.success(request, "The channel was added. Send a test, and add a rule: without one it gets nothing.")
        return HttpResponseRedirect(reverse("admin:channel-page", args=[made.pk]))
    back = reverse("admin:jobs_channel_changelist")
    return _form_page(request, site, form, title="Add a channel", button="Add the channel", back=back)


@never_cache
def change_channel(request: HttpRequest, site: AdminSite, channel_id: int) -> HttpResponse:
    """Change the name or the address of a channel."""
    return _of_channel(request, site, channel_id, _change_channel)


def add_rule(request: HttpRequest, site: AdminSite, channel_id: int) -> HttpResponse:
    """Add a rule to a channel."""
    return _of_channel(request, site, channel_id, _add_rule)


def change_rule(request: HttpRequest, site: AdminSite, rule_id: int) -> HttpResponse:
    """Change or remove a rule."""
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    rule = NotificationRule.objects.select_related("channel").filter(pk=rule_id).first()
    if rule is None or not visible_channels(request).filter(pk=rule.channel_id).exists():
        detail = f"Rule {rule_id} does not exist or is not visible to you. It may have been removed."
        return not_found_page(request, site, detail)
    if "remove" in request.POST:
        operations.remove_rule(rule, actor=_user(request))
        messages.success(request, "The rule was removed.")
        return _to(rule.channel)
    form = RuleForm(request.POST or None, initial=initial_of(rule))
    if _act(form, lambda: operations.change_rule(rule, **form.cleaned_data, actor=_user(request))) is not None:
        messages.success(request, "The rule was changed.")
        return _to(rule.channel)
    title = f"Rule of {rule.channel.name}"
    return _form_page(request, site, form, title=title, button="Save", back=_page(rule.channel), removes=True)


def _of_channel(
    request: HttpRequest,
    site: AdminSite,
    channel_id: int,
    page: Callable[[HttpRequest, AdminSite, Channel], HttpResponse],
) -> HttpResponse:
    if not manages(request):
        return forbidden_page(request, site, MANAGE)
    channel = visible_channels(request).filter(pk=channel_id).first()
    if channel is None:
        return not_found_page(request, site, channel_not_found(channel_id))
    return page(request, site, channel)


def _change_channel(request: HttpRequest, site: AdminSite, channel: Channel) -> HttpResponse:
    form = ChannelChangeForm(request.POST or None, initial=channel_initial(channel))
    if _act(form, lambda: operations.change_channel(channel, **form.cleaned_data, actor=_user(request))) is not None:
        messages.success(request, "The channel was changed.")
        return _to(channel)
    if channel.kind == ChannelKind.MAIL:
        form.fields["addresses"].help_text = f"Now: {channel.masked}. One per line. Empty: they stay."
    return _form_page(request, site, form, title=f"Change: {channel.name}", button="Save", back=_page(channel))


def _add_rule(request: HttpRequest, site: AdminSite, channel: Channel) -> HttpResponse:
    form = RuleForm(request.POST or None)
    if _act(form, lambda: operations.add_rule(channel, **form.cleaned_data, actor=_user(request))) is not None:
        messages.success(request, "The rule was added.")
        return _to(channel)
    title = f"Add a rule to {channel.name}"
    return _form_page(request, site, form, title=title, button="Add the rule", back=_page(channel))


def _act(form: forms.Form, execute: Callable[[], Any]) -> Any:
    """Return the result of the act; None where the form was not sent, or has errors, which it then shows."""
    if not form.is_bound or not form.is_valid():
        return None
    try:
        return execute()
    except BadInput as error:
        for field, detail in error.errors.items():
            name = {"address": "addresses"}.get(field, field)
            form.add_error(name if name in form.fields else None, detail)
    except Refused as error:
        form.add_error(None, error.detail)
    return None


def _form_page(request: HttpRequest, site: AdminSite, form: forms.Form, **context: Any) -> HttpResponse:
    return render_page(request, site, FORM_PAGE, {"form": form, **context})


def _page(channel: Channel) -> str:
    return reverse("admin:channel-page", args=[channel.pk])


def _to(channel: Channel) -> HttpResponse:
    return HttpResponseRedirect(_page(channel))


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
