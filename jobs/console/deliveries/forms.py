"""The form of an endpoint."""

from __future__ import annotations

from django import forms


class EndpointForm(forms.Form):
    """The address of an endpoint and the events that it receives."""

    url = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="An https URL that accepts POST requests, or amqp for the broker of AMQP_URL.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(max_length=200, required=False, help_text="The name on the pages. Default: the host.")
    types = forms.CharField(
        label="Events",
        max_length=12_200,
        initial="*.completed",
        help_text="Patterns of event types, one per line: *.completed, *.failed, job.*, or * for all events.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"}),
    )
    project = forms.CharField(
        max_length=128, required=False, help_text="Only events of this project's jobs. Empty: events of all jobs."
    )

    def clean_types(self) -> list[str]:
        """Split the patterns."""
        return self.cleaned_data["types"].split()
