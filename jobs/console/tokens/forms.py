"""The forms of tokens: issue and rotate."""

from __future__ import annotations

from django import forms

from jobs.access import Role
from jobs.console.confirm_view import ReasonForm
from jobs.rules.limits import ACCOUNT_LENGTH, PROJECT_LENGTH, REASON_LENGTH


class RotateForm(ReasonForm):
    """The end of the old secret, and a reason."""

    grace = forms.ChoiceField(
        label="The old secret ends",
        choices=[("0", "now: requests with it are refused immediately"), ("24", "in 24 hours: both secrets work")],
        initial="0",
    )
    field_order = ("grace", "reason")


class TokenForm(forms.Form):
    """A new token for an account."""

    account = forms.CharField(max_length=ACCOUNT_LENGTH, help_text="Created if it does not exist. Not a staff account.")
    role = forms.MultipleChoiceField(
        label="Roles",
        choices=[(role, role.capitalize()) for role in Role],
        initial=[Role.WORKER],
        widget=forms.CheckboxSelectMultiple,
        help_text="They replace the roles of an existing account.",
    )
    projects = forms.CharField(
        required=False,
        max_length=REASON_LENGTH,
        help_text="Limits the account to these projects, separated by commas. Empty: no change.",
    )
    days = forms.IntegerField(required=False, min_value=1, max_value=36_500, help_text="Empty: no expiry.")
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        required=False,
        help_text="Optional. Stored with your name in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )

    def clean_projects(self) -> list[str]:
        """Split the projects."""
        names = [name.strip() for name in self.cleaned_data["projects"].split(",") if name.strip()]
        if any(len(name) > PROJECT_LENGTH for name in names):
            raise forms.ValidationError(f"Enter project names of at most {PROJECT_LENGTH} characters.")
        return names
