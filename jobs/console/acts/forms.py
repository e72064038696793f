"""The form of a confirmation page of an act: reason, typed phrase, arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django import forms
from django.http import HttpRequest

from jobs.console.base import query_text
from jobs.models import Phase
from jobs.operations.arguments import Scope, number_or_none
from jobs.operations.base import Operation
from jobs.rules.formatting import normalized
from jobs.rules.limits import REASON_LENGTH

LABELS = {
    "threshold": "New threshold, percent",
    "only": "Items",
    "due_at": "Due at",
    "expected_seconds": "Or so many seconds after the start",
    "priority": "New priority, the highest is claimed first",
    "max_leased": "Leased items at once, empty for no limit",
    "undelivered": "Delete also with undelivered events",
}
CHOICES = {"only": [("all", "all items except skipped ones"), ("failed", "only failed and leased items")]}


class ActForm(forms.Form):
    """A reason; for the gravest acts the name of the job or the number of jobs, typed; the arguments of the act."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_LENGTH,
        required=False,
        help_text="Stored with your name in the timeline and in the audit log.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        error_messages={"required": "Enter a reason. It is kept in the timeline."},
    )
    name = forms.CharField(required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(
        self,
        *args: Any,
        act: Operation,
        phrase: str = "",
        number: str = "",
        phases: Sequence[Phase] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.phrase, self.number = phrase, number
        self.fields["reason"].required = act.grave
        if not act.grave:
            self.fields["reason"].help_text = f"Optional. {self.fields['reason'].help_text}"
        self._require_phrase()
        for name in act.form_fields:
            self.fields[name] = argument_field(act, name, phases)

    def clean_name(self) -> str:
        """Compare the typed phrase, whatever the composition of its letters and the kind of its blanks.

        The number of the job confirms too where it was asked for.
        """
        typed = self.cleaned_data["name"].strip()
        if self.phrase and normalized(typed) != normalized(self.phrase) and (not self.number or typed != self.number):
            raise forms.ValidationError(f"Type {self._asked} exactly to confirm.")
        return self.phrase

    @property
    def _asked(self) -> str:
        """The phrase, or the number where not every keyboard has the letters of the phrase."""
        return f"{self.phrase} or the number {self.number}" if self.number else self.phrase

    def _require_phrase(self) -> None:
        if not self.phrase:
            del self.fields["name"]
            return
        self.fields["name"].label = f"Type {self._asked} to confirm"
        self.fields["name"].required = True
        self.fields["name"].error_messages["required"] = f"Type {self._asked} to confirm."


def argument_field(act: Operation, name: str, phases: Sequence[Phase]) -> forms.Field:
    """Return the form field of one argument of an act, from the argument's type and bounds."""
    if name == "phase":
        return forms.ChoiceField(choices=[(phase.code, phase.label) for phase in phases])
    info = next(field for field in act.fields if field.name == name)
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    match number_or_none(info.type) or info.type:
        case msgspec.inspect.IntType(ge=least, le=most) as kind:
            required = info.required and kind is info.type
            return forms.IntegerField(label=label, min_value=least, max_value=most, required=required)
        case msgspec.inspect.LiteralType(values=values):
            return forms.ChoiceField(label=label, choices=CHOICES.get(name, [(value, value) for value in values]))
        case msgspec.inspect.BoolType():
            return forms.BooleanField(label=label, required=False)
        case msgspec.inspect.DateTimeType():
            widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1})
            return forms.DateTimeField(label=f"{label} (UTC)", required=info.required, widget=widget)
        case _:
            return forms.CharField(label=label, required=info.required)


def scope_of_request(request: HttpRequest, act: Operation) -> Scope:
    """Return the part of each job that the request names; an answer of the form replaces the query string."""
    query, answers = request.GET, request.POST
    return Scope(
        phase=(answers.get("phase") or query.get("phase", "")).replace("\0", ""),
        signature=query_text(request, "signature"),
        all=query.get("all") == "1",
        only="failed" if (answers.get("only") or query.get("only")) == "failed" else "all",
        extra=tuple((name, query_text(request, name)) for name in act.query_fields if name in query),
    )
