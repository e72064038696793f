"""The page of everything that people did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from jobs.access import access_of
from jobs.console.activity.act_labels import choices, past_of
from jobs.console.activity.filters import activity_of, filters_of
from jobs.console.base import forbidden_page, ids_in_query, render_page
from jobs.db.keyset import after, order_of
from jobs.models import Activity
from jobs.models.activity import ActivityQuerySet

PERMISSION = "view_activity"
SEE_ACTIVITY = "To see the activity, your account needs the permission jobs.view_activity (role viewer)."
ROWS_LISTED = 50
PLACE = "before"


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One row of the page: the act, its participle, and the page of its target."""

    activity: Activity
    past: str
    url: str


def activity_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show one page of the acts that are visible to the account, newest first."""
    access = access_of(request.user)
    if not access.may(PERMISSION):
        return forbidden_page(request, site, SEE_ACTIVITY)
    filters = filters_of(request.GET)
    found = list(_page(request, activity_of(filters, access))[: ROWS_LISTED + 1])
    shown = found[:ROWS_LISTED]
    context = {
        "title": "Activity",
        "rows": [ActivityRow(row, past_of(row.act), _url(row)) for row in shown],
        "filters": {name: value for name, value in filters.items() if name not in ("since", "until")},
        "since": _day(filters, "since"),
        "until": _day(filters, "until"),
        "acts": choices(),
        "query": _query(request),
        "older": _query(request, before=shown[-1].pk) if len(found) > len(shown) else "",
        "is_newest": PLACE not in request.GET,
    }
    return render_page(request, site, "jobs/activity/list.html", context)


def _page(request: HttpRequest, rows: ActivityQuerySet) -> ActivityQuerySet:
    """Return the rows behind the one that the address names."""
    last = Activity.objects.filter(pk__in=ids_in_query(request.GET, PLACE, most=1)).first()
    return rows if last is None else rows.filter(after(order_of(rows), [last.at, last.pk]))


def _query(request: HttpRequest, **place: Any) -> str:
    """Return the query string of these filters, at another place."""
    kept = {name: value for name, value in request.GET.items() if name != PLACE and value}
    return urlencode({**kept, **place})


def _day(filters: dict[str, Any], name: str) -> str:
    return filters[name].isoformat() if name in filters else ""


def _url(row: Activity) -> str:
    """Return the page of the target; empty without one."""
    if row.job_id is not None:
        return reverse("admin:job-page", args=[row.job_id]) if row.act != "delete" else ""
    if row.about == "bulk" and row.target_id.isdigit():
        return reverse("admin:bulk-page", args=[row.target_id])
    if row.about == "endpoint" and row.target_id.isdigit() and row.act != "delete":
        return reverse("admin:endpoint-page", args=[row.target_id])
    return ""
