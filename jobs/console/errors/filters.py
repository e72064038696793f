"""The failures that the page of errors is narrowed to, the same for the page, its files and an act on a group."""

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

LENGTHS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
EVER, DEFAULT = "all", "24h"
NEWEST = "newest"
Filters = dict[str, str]


def filters_of(query: QueryDict) -> Filters:
    """What an address asks for, by name; what makes no sense is not asked for."""
    form = ErrorFilterForm({name: query.get(name, "").replace("\0", "") for name in query})
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if value}


def failed_items(filters: Filters, access: Access, *, now: datetime) -> ItemQuerySet:
    """The failures that these filters leave of those in sight."""
    jobs: dict[str, Any] = {name: filters[name] for name in ("kind", "project", "status") if name in filters}
    if "q" in filters:
        jobs["name__icontains"] = filters["q"]
    if access.projects is not None:
        jobs["project__in"] = sorted(access.projects)
    return failures_of(jobs, since=since(filters, now=now))


def since(filters: Filters, *, now: datetime) -> datetime | None:
    """The moment from which on failures are looked at; None for all."""
    length = LENGTHS.get(filters.get("since", DEFAULT))
    return None if length is None else now - length


def in_words(filters: Filters) -> str:
    """`in jobs of kind OCR, of project alpha, in the last 24 hours`."""
    said = [
        f"of kind {pipelines.label_of(filters['kind'])}" if "kind" in filters else "",
        f"of project {filters['project']}" if "project" in filters else "",
        f"in state {status_styles.STYLES[filters['status']].word}" if "status" in filters else "",
        f"matching “{filters['q']}”" if "q" in filters else "",
    ]
    jobs = ", ".join(filter(None, said))
    return ", ".join(filter(None, [f"in jobs {jobs}" if jobs else "", length_in_words(filters)]))


def length_in_words(filters: Filters) -> str:
    """`in the last 24 hours`; empty for all."""
    return dict(ErrorFilterForm.SINCE)[filters.get("since", DEFAULT)].lower() if filters.get("since") != EVER else ""
