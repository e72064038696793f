"""The filters of the overview."""

from __future__ import annotations

from typing import Any

from django import forms

from jobs.rules import names, pipelines
from jobs.rules.limits import NAME_LENGTH, PROJECT_LENGTH


class FilterForm(forms.Form):
    """Kind, project and part of a name."""

    kind = forms.ChoiceField(required=False)
    project = forms.CharField(required=False, max_length=PROJECT_LENGTH)
    q = forms.CharField(required=False, max_length=NAME_LENGTH)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [("", "Every kind"), *pipelines.choices()]  # type: ignore[attr-defined]

    def clean_project(self) -> str:
        """Return the project in the form that jobs store."""
        return names.plain(self.cleaned_data["project"])
