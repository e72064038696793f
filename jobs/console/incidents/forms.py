"""The forms of incidents: the filters of the list, and the questions of each act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from jobs.rules import names
from jobs.rules.incidents import KINDS
from jobs.rules.limits import ACCOUNT_LENGTH, PROJECT_LENGTH, REASON_LENGTH

KEPT = "Stored with your name in the history."
GROWS, OTHER = "grows", "other"
LENGTHS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1), "7d": timedelta(days=7)}
CHOICES = [
    ("1h", "For an hour"),
    ("4h", "For four hours"),
    ("1d", "For a day"),
    ("7d", "For a week"),
    (GROWS, "Until it grows"),
    (OTHER, "Until the time below"),
]


def _text(**fields: Any) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3, "cols": 60})
    return forms.CharField(max_length=REASON_LENGTH, widget=widget, **fields)


class IncidentFilterForm(forms.Form):
    """Kind and project."""

    kind = forms.ChoiceField(
        required=False, choices=[("", "Every kind"), *((str(kind), text.label) for kind, text in KINDS.items())]
    )
    project = forms.CharField(required=False, max_length=PROJECT_LENGTH)

    def clean_project(self) -> str:
        """Return the project in the form that jobs store."""
        return names.plain(self.cleaned_data["project"])


class ActForm(forms.Form):
    """The base of the questions of an act."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the act."""
        return dict(self.cleaned_data)


class AcknowledgeForm(ActForm):
    """A note."""

    note = _text(required=False, help_text=f"Optional: where the work is done. {KEPT}")


class AssignForm(ActForm):
    """An account."""

    account = forms.CharField(
        max_length=ACCOUNT_LENGTH, required=False, help_text="The user name of an account. Empty: no account."
    )


class SnoozeForm(ActForm):
    """A length, a time, or until it grows."""

    how_long = forms.ChoiceField(choices=CHOICES, label="How long")
    until = forms.DateTimeField(
        required=False, label="Until (UTC)", help_text="Only for “Until the time below”, such as 2026-12-01 06:00."
    )

    def clean_until(self) -> datetime | None:
        """Read the time as UTC, which the page shows."""
        until = self.cleaned_data["until"]
        return until.replace(tzinfo=UTC) if until else None

    def clean(self) -> dict[str, Any]:
        """Ask for a time where it is needed."""
        if self.cleaned_data.get("how_long") == OTHER and not self.cleaned_data.get("until"):
            self.add_error("until", "Enter a time.")
        return self.cleaned_data

    def arguments(self) -> dict[str, Any]:
        """Return the time until which it is quiet."""
        chosen = self.cleaned_data["how_long"]
        if chosen == GROWS:
            return {"until_grows": True}
        return {"until": self.cleaned_data["until"] if chosen == OTHER else timezone.now() + LENGTHS[chosen]}


class ResolveForm(ActForm):
    """A reason."""

    reason = _text(help_text=f"Why it is over. {KEPT}")


FORMS: dict[str, type[ActForm]] = {
    "acknowledge": AcknowledgeForm,
    "assign": AssignForm,
    "snooze": SnoozeForm,
    "resolve": ResolveForm,
}
