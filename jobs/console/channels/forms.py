"""The forms of channels and of their rules."""

from __future__ import annotations

from typing import Any

from django import forms

from jobs.models import Channel, NotificationRule
from jobs.models.notifications import ChannelKind
from jobs.operations.notification_rules import SHORTEST_REMINDER
from jobs.rules.incidents import KINDS
from jobs.rules.limits import LONGEST_SECONDS, NAME_LENGTH, PROJECT_LENGTH, URL_LENGTH

KIND_LABELS = [
    (ChannelKind.APPRISE.value, "A service: Slack, Teams, Discord, Telegram, ntfy, PagerDuty and a hundred others"),
    (ChannelKind.MAIL.value, "Mail from this site's own mail server"),
]
MINUTES = LONGEST_SECONDS // 60


class ChannelForm(forms.Form):
    """A new channel."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="For example: night shift.")
    kind = forms.ChoiceField(choices=KIND_LABELS, widget=forms.RadioSelect, initial=ChannelKind.APPRISE.value)
    addresses = forms.CharField(
        label="Address",
        max_length=URL_LENGTH * 10,
        help_text="One Apprise address, such as slack://… or ntfys://…; or mail addresses, one per line. "
        "It is encrypted, and never shown again.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "autocomplete": "off", "spellcheck": "false"}),
    )
    project = forms.CharField(
        max_length=PROJECT_LENGTH, required=False, help_text="Only incidents of this project. Empty: the whole site."
    )

    def clean_addresses(self) -> list[str]:
        """Split the lines."""
        text: str = self.cleaned_data["addresses"]
        return text.split()


class ChannelChangeForm(ChannelForm):
    """An existing channel; its kind and project stay."""

    kind = None  # type: ignore[assignment]
    project = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["addresses"].required = False
        self.fields["addresses"].label = "New address"
        self.fields["addresses"].help_text = "Empty: the address stays."

    def clean_addresses(self) -> list[str] | None:  # type: ignore[override]
        """Split the lines; None where the address stays."""
        return super().clean_addresses() or None


class RuleForm(forms.Form):
    """A rule of a channel. Empty fields mean all."""

    kinds = forms.MultipleChoiceField(
        label="Incidents",
        choices=[(kind.value, text.label) for kind, text in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None selected: every kind.",
    )
    projects = forms.CharField(required=False, max_length=10_000, help_text="Separated by commas. Empty: all.")
    job_kinds = forms.CharField(
        label="Kinds of jobs", required=False, max_length=10_000, help_text="Such as vision, ocr. Empty: all."
    )
    series = forms.CharField(
        label="Names of jobs", required=False, max_length=NAME_LENGTH, help_text="A pattern: nightly-*. Empty: all."
    )
    minimum_age = forms.IntegerField(
        label="Sent after minutes",
        min_value=0,
        max_value=MINUTES,
        initial=5,
        help_text="What is over before is not sent. 0: at once.",
    )
    reminder_interval = forms.IntegerField(
        label="Repeated after minutes",
        min_value=0,
        max_value=MINUTES,
        initial=60,
        help_text="Until it is acknowledged. 0: never.",
    )
    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=forms.TimeInput(format="%H:%M", attrs={"placeholder": "22:00"})
    )
    quiet_to = forms.TimeField(
        label="Quiet until",
        required=False,
        widget=forms.TimeInput(format="%H:%M", attrs={"placeholder": "06:00"}),
        help_text="Messages of these hours are sent at their end, if the incident is still open.",
    )
    timezone = forms.CharField(
        label="Time zone", max_length=64, initial="UTC", help_text="Of the quiet hours, such as Europe/Berlin."
    )

    def clean_projects(self) -> list[str]:
        """Split the projects."""
        return _split(self.cleaned_data["projects"])

    def clean_job_kinds(self) -> list[str]:
        """Split the kinds."""
        return _split(self.cleaned_data["job_kinds"])

    def clean_minimum_age(self) -> int:
        """Return seconds."""
        return int(self.cleaned_data["minimum_age"]) * 60

    def clean_reminder_interval(self) -> int:
        """Return seconds."""
        return int(self.cleaned_data["reminder_interval"]) * SHORTEST_REMINDER


def initial_of(rule: NotificationRule) -> dict[str, Any]:
    """Return the values of a rule as its form has them."""
    return {
        "kinds": rule.kinds,
        "projects": ", ".join(rule.projects),
        "job_kinds": ", ".join(rule.job_kinds),
        "series": rule.series,
        "minimum_age": rule.minimum_age // 60,
        "reminder_interval": rule.reminder_interval // 60,
        "quiet_from": rule.quiet_from,
        "quiet_to": rule.quiet_to,
        "timezone": rule.timezone,
    }


def channel_initial(channel: Channel) -> dict[str, Any]:
    """Return the values of a channel as its form has them; never the address."""
    return {"name": channel.name}


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
