"""Filters of the errors page, shared by the page, its exports and the acts on a group."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict

from jobs.access import Access
from jobs.console import status_styles
from jobs.console.errors.forms import ErrorFilterForm
from jobs.models.items import ItemQuerySet
from jobs.rules import pipelines
from jobs.serializers import failures_of

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
ALL_TIME, DEFAULT = "all", "24h"
NEWEST = "newest"
Filters = dict[str, str]


def filters_of(query: QueryDict) -> Filters:
    """Return the valid filters of an address; ignore invalid values."""
    form = ErrorFilterForm({name: query.get(name, "").replace("\0", "") for name in query})
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if value}


def failed_items(filters: Filters, access: Access, *, now: datetime) -> ItemQuerySet:
    """Return the failed items that match these filters and are visible to the account."""
    jobs: dict[str, Any] = {name: filters[name] for name in ("kind", "project", "status") if name in filters}
    if "q" in filters:
        jobs["name__icontains"] = filters["q"]
    if access.projects is not None:
        jobs["project__in"] = sorted(access.projects)
    failed = failures_of(jobs, since=since(filters, now=now))
    return failed.alike(filters["signature"]) if "signature" in filters else failed


def since(filters: Filters, *, now: datetime) -> datetime | None:
    """Return the start of the period; None for all time."""
    period = PERIODS.get(filters.get("since", DEFAULT))
    return None if period is None else now - period


def in_words(filters: Filters) -> str:
    """Format the filters: `in jobs of kind OCR, of project alpha, in the last 24 hours`."""
    parts = [
        f"of kind {pipelines.label_of(filters['kind'])}" if "kind" in filters else "",
        f"of project {filters['project']}" if "project" in filters else "",
        f"with status {status_styles.STYLES[filters['status']].label}" if "status" in filters else "",
        f"matching “{filters['q']}”" if "q" in filters else "",
    ]
    jobs = ", ".join(filter(None, parts))
    alike = f"with the error “{filters['signature']}”" if "signature" in filters else ""
    return ", ".join(filter(None, [alike, f"in jobs {jobs}" if jobs else "", period_in_words(filters)]))


def period_in_words(filters: Filters) -> str:
    """Format the period: `in the last 24 hours`; empty for all time."""
    return (
        dict(ErrorFilterForm.SINCE)[filters.get("since", DEFAULT)].lower() if filters.get("since") != ALL_TIME else ""
    )
