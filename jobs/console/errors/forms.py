"""The filters of the page of errors."""

from __future__ import annotations

from django import forms

from jobs.console import status_styles
from jobs.console.overview.forms import FilterForm
from jobs.rules.limits import ERROR_LENGTH
from jobs.rules.statuses import JobStatus


class ErrorFilterForm(FilterForm):
    """The filters and the order of the page of errors. Without `since` it shows the last day."""

    SINCE = (
        ("1h", "In the last hour"),
        ("24h", "In the last 24 hours"),
        ("7d", "In the last 7 days"),
        ("all", "At any time"),
    )
    ORDERS = (("", "Most frequent first"), ("newest", "Newest first"))

    status = forms.ChoiceField(
        required=False,
        choices=[("", "Every status"), *((status, status_styles.STYLES[status].label) for status in JobStatus)],
    )
    signature = forms.CharField(required=False, max_length=ERROR_LENGTH, strip=False)
    since = forms.ChoiceField(required=False, choices=SINCE)
    order = forms.ChoiceField(required=False, choices=ORDERS)
