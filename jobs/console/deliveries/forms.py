"""The form of an endpoint."""

from __future__ import annotations

from django import forms

from jobs.models.outbox import EndpointFormat
from jobs.rules.limits import EVENT_TYPE_LENGTH, MOST_TYPES, NAME_LENGTH, PROJECT_LENGTH, URL_LENGTH


class EndpointForm(forms.Form):
    """The address of an endpoint and the events that it receives."""

    url = forms.CharField(
        label="Address",
        max_length=URL_LENGTH,
        help_text="An https URL that accepts POST requests, or amqp for the broker of AMQP_URL.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        max_length=NAME_LENGTH, required=False, help_text="The name on the pages. Default: the host."
    )
    types = forms.CharField(
        label="Events",
        max_length=MOST_TYPES * (EVENT_TYPE_LENGTH + 2),
        initial="*.completed",
        help_text="Patterns of event types, one per line: *.completed, *.failed, job.*, or * for all events.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"}),
    )
    format = forms.ChoiceField(
        choices=[(EndpointFormat.JSON, "The event as JSON"), (EndpointFormat.CLOUDEVENTS, "CloudEvents 1.0")],
        initial=EndpointFormat.JSON,
        required=False,
    )
    project = forms.CharField(
        max_length=PROJECT_LENGTH,
        required=False,
        help_text="Only events of this project's jobs. Empty: events of all jobs.",
    )

    def clean_format(self) -> str:
        """Return the format; a request without one keeps the default."""
        return self.cleaned_data["format"] or EndpointFormat.JSON

    def clean_types(self) -> list[str]:
        """Split the patterns."""
        return self.cleaned_data["types"].split()
