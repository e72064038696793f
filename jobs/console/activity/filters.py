"""Filters of the activity, shared by its page and its exports."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from jobs.access import Access
from jobs.models import Activity
from jobs.models.activity import ActivityQuerySet
from jobs.rules.limits import ACT_LENGTH, LARGEST_INTEGER, NAME_LENGTH, PROJECT_LENGTH

SEES_ACCESS = "manage_tokens"
Filters = dict[str, Any]


class ActivityFilterForm(forms.Form):
    """The person, the act, the days, and the job or project of the activity."""

    actor = forms.CharField(required=False, max_length=NAME_LENGTH)
    act = forms.CharField(required=False, max_length=ACT_LENGTH)
    project = forms.CharField(required=False, max_length=PROJECT_LENGTH)
    job = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_INTEGER)
    bulk = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_INTEGER)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)


def filters_of(query: QueryDict) -> Filters:
    """Return the valid filters of an address; ignore invalid values."""
    form = ActivityFilterForm({name: query.get(name, "").replace("\0", "") for name in query})
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if value}


def activity_of(filters: Filters, access: Access) -> ActivityQuerySet:
    """Return the visible rows that match, newest first.

    A bulk act is one row. Those of its jobs are shown for a job, for the bulk act, and to a limited account, which
    does not see the row of the bulk act.
    """
    rows = Activity.objects.within(access.projects, access=access.may(SEES_ACCESS)).newest_first()
    if access.projects is None and not {"job", "bulk"} & filters.keys():
        rows = rows.filter(bulk__isnull=True)
    columns = {"actor": "actor", "act": "act", "project": "project", "job": "job_id", "bulk": "bulk"}
    rows = rows.filter(**{column: filters[name] for name, column in columns.items() if name in filters})
    if "since" in filters:
        rows = rows.filter(at__gte=_midnight(filters["since"]))
    if "until" in filters:
        rows = rows.filter(at__lt=_midnight(filters["until"]) + timedelta(days=1))
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
