"""The errors of all jobs in sight, grouped by signature: what fails most, where, since when, and how to retry it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from jobs.access import Access, access_of
from jobs.console.acts.selection import ListMatch, source
from jobs.console.base import forbidden_page as not_permitted
from jobs.console.base import live, render_page
from jobs.console.errors.error_groups import FailureGroup, Place, items_of
from jobs.console.errors.filters import (
    DEFAULT,
    EVER,
    NEWEST,
    Filters,
    failed_items,
    filters_of,
    in_words,
    length_in_words,
)
from jobs.console.errors.forms import ErrorFilterForm
from jobs.operations.buttons import ActButton
from jobs.operations.registry import ACTS, forbidden
from jobs.rules import pipelines
from jobs.rules.formatting import format_number, pluralize
from jobs.serializers import Failures, JobsErrorGroup, errors_across

GROUPS_LISTED = 50
JOBS_LISTED = 4


@dataclass(frozen=True, slots=True)
class AlikeInJobs(FailureGroup):
    """One group of several jobs; `more_jobs` are those that are not named."""

    group: JobsErrorGroup

    @property
    def more_jobs(self) -> int:
        """How many jobs are not named."""
        return self.group["job_count"] - len(self.places)


def errors_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """All errors in sight, within the filters of the address."""
    access = access_of(request.user)
    if not access.may("view_job"):
        return not_permitted(
            request, site, "To see errors an account needs the permission jobs.view_job (role viewer)."
        )
    filters, now = filters_of(request.GET), timezone.now()
    found = errors_found(filters, access, now=now, most=GROUPS_LISTED + 1)
    return render_page(request, site, "jobs/errors.html", _context(request, filters, found, now=now))


def errors_found(filters: Filters, access: Access, *, now: datetime, most: int) -> Failures:
    """The groups of the failures that these filters leave, in the order that is asked for."""
    failed = failed_items(filters, access, now=now)
    return errors_across(failed, newest_first=filters.get("order") == NEWEST, most=most)


def _context(request: HttpRequest, filters: Filters, found: Failures, *, now: datetime) -> dict[str, Any]:
    form = ErrorFilterForm()
    return {
        "title": "Errors",
        "filters": filters,
        "since": filters.get("since", DEFAULT),
        "narrowed": bool(set(filters) & {"kind", "project", "status", "q"}),
        "choices": {name: form.fields[name].choices for name in ("kind", "status", "since")},  # type: ignore[attr-defined]
        "orders": [
            (word, _address(filters, order=order), filters.get("order", "") == order) for order, word in form.ORDERS
        ],
        "ever": _address(filters, since=EVER) if length_in_words(filters) else "",
        "length": length_in_words(filters),
        "groups": [_alike(group, filters, request) for group in found.groups[:GROUPS_LISTED]],
        "more": len(found.groups) > GROUPS_LISTED,
        "found": found,
        "query": urlencode(filters),
        "back": request.get_full_path(),
        **live(now=now, socket="/ws/jobs", poll=f"{reverse('api-jobs')}?limit=1", single=False),
    }


def _address(filters: Filters, **changes: str) -> str:
    wanted = {name: value for name, value in (filters | changes).items() if value}
    return f"?{urlencode(wanted)}"


def _alike(group: JobsErrorGroup, filters: Filters, request: HttpRequest) -> AlikeInJobs:
    phase = group["phases"][0]["phase"] if group["phases"] else ""
    places = [
        Place(job["name"], job["count"], _page_of(job["kind"], job["id"]) + items_of(group, phase=phase))
        for job in group["jobs"][:JOBS_LISTED]
    ]
    return AlikeInJobs(group, _offer(group, filters, request), places)


def _page_of(kind: str, job_id: int) -> str:
    return reverse(pipelines.page_of(kind), args=[job_id])


def _offer(group: JobsErrorGroup, filters: Filters, request: HttpRequest) -> ActButton:
    """The button that retries exactly these, through the page that shows first what it does to each job."""
    wanted = {name: filters[name] for name in filters if name != "order"} | {"signature": group["signature"]}
    query = {"match": "errors", "query": urlencode(wanted), "signature": group["signature"]}
    act = ACTS["retry"]
    these = f"these {format_number(group['count'])}" if group["count"] > 1 else "this one"
    where = f" in {pluralize(group['job_count'], 'job')}" if group["job_count"] > 1 else ""
    url = f"{reverse('admin:jobs-act', kwargs={'slug': act.name})}?{urlencode(query)}"
    return ActButton(act, f"Retry {these}{where}…", "", url, forbidden(act, request.user))


@source("errors")
def alike_items(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """The failed items of one group, under the filters of the page."""
    filters, error = filters_of(query), query.get("signature", "").replace("\0", "")
    failed = failed_items(filters, access_of(request.user), now=timezone.now())
    said = f"failed items with the error “{error}”"
    words = ", ".join(filter(None, [said, in_words(filters)]))
    return ListMatch(words=words, rows=failed.alike(error), job="phase__job_id", item="pk")
