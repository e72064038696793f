"""The forms of the operators' pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django import forms

from jobs.access import Role
from jobs.console import status_styles
from jobs.models import Phase
from jobs.operations.base import REASON_LENGTH, Operation
from jobs.rules import names, pipelines
from jobs.rules.formatting import normalized
from jobs.rules.statuses import JobStatus

WHAT = [("all", "everything but skipped items"), ("failed", "only what failed or is held")]


LABELS = {"threshold": "New threshold, percent", "only": "What"}
CHOICES = {"only": WHAT}


def argument_field(act: Operation, name: str, phases: Sequence[Phase]) -> forms.Field:
    """Return the form field of one argument of an act, from the argument's type and bounds."""
    if name == "phase":
        return forms.ChoiceField(choices=[(phase.code, phase.label) for phase in phases])
    info = next(field for field in act.fields if field.name == name)
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    match info.type:
        case msgspec.inspect.IntType(ge=least, le=most):
            return forms.IntegerField(label=label, min_value=least, max_value=most, required=info.required)
        case msgspec.inspect.LiteralType(values=values):
            return forms.ChoiceField(label=label, choices=CHOICES.get(name, [(value, value) for value in values]))
        case msgspec.inspect.BoolType():
            return forms.BooleanField(label=label, required=False)
        case _:
            return forms.CharField(label=label, required=info.required)


class ActForm(forms.Form):
    """Why, and for the gravest acts the name of what it is about, typed."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_LENGTH,
        required=False,
        help_text="Kept in the timeline and in the log of acts, with your name.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        error_messages={"required": "Say why; the reason is kept in the timeline."},
    )
    name = forms.CharField(required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(
        self, *args: Any, act: Operation, phrase: str = "", phases: Sequence[Phase] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.phrase = phrase
        self.fields["reason"].required = act.grave
        if not act.grave:
            self.fields["reason"].help_text = f"Optional. {self.fields['reason'].help_text}"
        self._ask_for_name()
        for name in act.form_fields:
            self.fields[name] = argument_field(act, name, phases)

    def clean_name(self) -> str:
        """The phrase that was asked for, however its letters are composed and its blanks are typed."""
        if self.phrase and normalized(self.cleaned_data["name"]) != normalized(self.phrase):
            raise forms.ValidationError(f"Type {self.phrase} exactly to confirm.")
        return self.phrase

    def _ask_for_name(self) -> None:
        if not self.phrase:
            del self.fields["name"]
            return
        self.fields["name"].label = f"Type {self.phrase} to confirm"
        self.fields["name"].required = True
        self.fields["name"].error_messages["required"] = f"Type {self.phrase} to confirm."


class ReasonForm(forms.Form):
    """Why, where nothing else is asked."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        required=False,
        help_text="Optional. Kept with your name in the log of acts.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )


class EndpointForm(forms.Form):
    """Where events go, and which."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="An https address that takes POST requests, or amqp for the broker of AMQP_URL.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(max_length=200, required=False, help_text="What operators call it; empty: its host.")
    types = forms.CharField(
        label="Told of",
        max_length=12_200,
        initial="*.completed",
        help_text="Patterns over the types of events, one a line: *.completed, *.failed, job.*, or * for everything.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"}),
    )
    project = forms.CharField(max_length=128, required=False, help_text="Only its jobs' events; empty: every job's.")

    def clean_types(self) -> list[str]:
        """The patterns one by one."""
        return self.cleaned_data["types"].split()


class FilterForm(forms.Form):
    """What the overview is narrowed to."""

    kind = forms.ChoiceField(required=False)
    project = forms.CharField(required=False, max_length=128)
    q = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [("", "Every kind"), *pipelines.choices()]  # type: ignore[attr-defined]

    def clean_project(self) -> str:
        """As projects are stored."""
        return names.plain(self.cleaned_data["project"])


class ErrorFilterForm(FilterForm):
    """What the page of errors is narrowed to, and its order. Without `since` it shows the last day."""

    SINCE = (
        ("1h", "In the last hour"),
        ("24h", "In the last 24 hours"),
        ("7d", "In the last 7 days"),
        ("all", "At any time"),
    )
    ORDERS = (("", "Most frequent first"), ("newest", "Newest first"))

    status = forms.ChoiceField(
        required=False,
        choices=[("", "Every status"), *((status, status_styles.STYLES[status].word) for status in JobStatus)],
    )
    since = forms.ChoiceField(required=False, choices=SINCE)
    order = forms.ChoiceField(required=False, choices=ORDERS)


class RotateForm(ReasonForm):
    """When the old secret ends, and why there is a new one."""

    grace = forms.ChoiceField(
        label="The old secret ends",
        choices=[("0", "at once: what uses it is refused from then on"), ("24", "in 24 hours: both work until then")],
        initial="0",
    )
    field_order = ("grace", "reason")


class TokenForm(forms.Form):
    """A new token for an account."""

    account = forms.CharField(max_length=150, help_text="Made where it is missing. Not a staff account.")
    role = forms.MultipleChoiceField(
        label="Roles",
        choices=[(role, role.capitalize()) for role in Role],
        initial=[Role.WORKER],
        widget=forms.CheckboxSelectMultiple,
        help_text="They replace those of an account that exists.",
    )
    projects = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Limits the account to these projects, separated by commas; empty leaves it as it is.",
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=36_500, help_text="Empty: for ever.")
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        required=False,
        help_text="Optional. Kept with your name in the log of acts.",
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )

    def clean_projects(self) -> list[str]:
        """The projects one by one."""
        names = [name.strip() for name in self.cleaned_data["projects"].split(",") if name.strip()]
        if any(len(name) > 128 for name in names):
            raise forms.ValidationError("A project has at most 128 characters.")
        return names
