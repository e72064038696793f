"""The errors page: failures of all visible jobs, grouped by error signature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from jobs.access import Access, access_of
from jobs.console.acts.selection import ListMatch, source
from jobs.console.base import forbidden_page, live, render_page
from jobs.console.errors.error_groups import ErrorGroupRow, GroupLocation, items_url
from jobs.console.errors.filters import (
    ALL_TIME,
    DEFAULT,
    NEWEST,
    Filters,
    failed_items,
    filters_of,
    in_words,
    period_in_words,
)
from jobs.console.errors.forms import ErrorFilterForm
from jobs.console.items.attempts import sample_logs
from jobs.operations.buttons import ActButton
from jobs.operations.registry import ACTS, forbidden
from jobs.rules import pipelines
from jobs.rules.formatting import format_number, pluralize
from jobs.serializers import Failures, JobsErrorGroup, errors_across

GROUPS_LISTED = 50
JOBS_LISTED = 4


@dataclass(frozen=True, slots=True)
class JobsErrorGroupRow(ErrorGroupRow):
    """One group across several jobs."""

    group: JobsErrorGroup

    @property
    def more_jobs(self) -> int:
        """Number of jobs that are not listed."""
        return self.group["job_count"] - len(self.locations)


def errors_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the failures of visible jobs that match the filters of the address."""
    access = access_of(request.user)
    if not access.may("view_job"):
        return forbidden_page(
            request, site, "To see errors, an account needs the permission jobs.view_job (role viewer)."
        )
    filters, now = filters_of(request.GET), timezone.now()
    found = errors_found(filters, access, now=now, most=GROUPS_LISTED + 1)
    return render_page(request, site, "jobs/errors.html", _context(request, filters, found, now=now))


def errors_found(filters: Filters, access: Access, *, now: datetime, most: int) -> Failures:
    """Return the groups of failures that match these filters, in the requested order."""
    failed = failed_items(filters, access, now=now)
    return errors_across(failed, newest_first=filters.get("order") == NEWEST, most=most)


def _context(request: HttpRequest, filters: Filters, found: Failures, *, now: datetime) -> dict[str, Any]:
    form = ErrorFilterForm()
    shown = found.groups[:GROUPS_LISTED]
    logs = sample_logs(group["item"] for group in shown)
    return {
        "title": "Errors",
        "filters": filters,
        "since": filters.get("since", DEFAULT),
        "narrowed": bool(set(filters) & {"kind", "project", "status", "q", "signature"}),
        "choices": {name: form.fields[name].choices for name in ("kind", "status", "since")},  # type: ignore[attr-defined]
        "orders": [
            (word, _address(filters, order=order), filters.get("order", "") == order) for order, word in form.ORDERS
        ],
        "ever": _address(filters, since=ALL_TIME) if period_in_words(filters) else "",
        "length": period_in_words(filters),
        "groups": [replace(_row(group, filters, request), log=logs.get(group["item"] or 0)) for group in shown],
        "more": len(found.groups) > GROUPS_LISTED,
        "found": found,
        "query": urlencode(filters),
        "back": request.get_full_path(),
        **live(now=now, socket="/ws/jobs", poll=f"{reverse('api-jobs')}?limit=1", single=False),
    }


def _address(filters: Filters, **changes: str) -> str:
    kept = {name: value for name, value in (filters | changes).items() if value}
    return f"?{urlencode(kept)}"


def _row(group: JobsErrorGroup, filters: Filters, request: HttpRequest) -> JobsErrorGroupRow:
    phase = group["phases"][0]["phase"] if group["phases"] else ""
    locations = [
        GroupLocation(job["name"], job["count"], _job_url(job["kind"], job["id"]) + items_url(group, phase=phase))
        for job in group["jobs"][:JOBS_LISTED]
    ]
    return JobsErrorGroupRow(group, _retry_button(group, filters, request), locations)


def _job_url(kind: str, job_id: int) -> str:
    return reverse(pipelines.page_of(kind), args=[job_id])


def _retry_button(group: JobsErrorGroup, filters: Filters, request: HttpRequest) -> ActButton:
    """Return the button that opens the confirmation page for retrying exactly these items."""
    kept = {name: filters[name] for name in filters if name != "order"} | {"signature": group["signature"]}
    query = {"match": "errors", "query": urlencode(kept), "signature": group["signature"]}
    act = ACTS["retry"]
    items_text = f"these {format_number(group['count'])}" if group["count"] > 1 else "this one"
    where = f" in {pluralize(group['job_count'], 'job')}" if group["job_count"] > 1 else ""
    url = f"{reverse('admin:jobs-act', kwargs={'slug': act.name})}?{urlencode(query)}"
    return ActButton(act, f"Retry {items_text}{where}…", "", url, forbidden(act, request.user))


@source("errors")
def matching_items(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """Return the failed items of one group under the filters of the page."""
    filters, error = filters_of(query), query.get("signature", "").replace("\0", "")
    failed = failed_items(filters, access_of(request.user), now=timezone.now())
    subject = f"failed items with the error “{error}”"
    words = ", ".join(filter(None, [subject, in_words(filters)]))
    return ListMatch(words=words, rows=failed.alike(error), job="phase__job_id", item="pk")
