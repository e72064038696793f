"""The content of the overview, which the wall shows too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest
from django.urls import reverse

from jobs.console.base import live
from jobs.console.deliveries.delivery_queries import delivery_summary
from jobs.console.job_rows import rows_of
from jobs.console.overview.attention import attention
from jobs.console.overview.forms import FilterForm
from jobs.console.overview.open_incidents import LISTED, overview_incidents
from jobs.console.overview.site_attention import failing_workers, first_of, silent_processes
from jobs.console.overview.throughput import throughput
from jobs.console.overview.tiles import running, tiles, up_to_a_thousand
from jobs.console.workers.worker_queries import Holding, holdings, recent_workers
from jobs.models import Job
from jobs.models.jobs import JobQuerySet
from jobs.models.workers import SILENT
from jobs.rules.formatting import format_number
from jobs.rules.statuses import JobStatus
from jobs.watchdog import process_heartbeats

RUNNING_LISTED, FINISHED_LISTED, SILENT_LISTED = 10, 30, 10
RECENT = 300
Filters = dict[str, str]


def overview_context(request: HttpRequest, visible: JobQuerySet, *, filters: Filters, now: datetime) -> dict[str, Any]:
    """Return the context of the page over the visible jobs under these filters."""
    jobs = _narrowed(visible, filters)
    incidents = overview_incidents(request, jobs, filters=filters, now=now)
    held = _held_by_silent(jobs, now=now)
    lists = _lists(jobs) | {"held": list(jobs.filter(pk__in=[holding.job_id for holding in held]))}
    rows = rows_of((job for listed in lists.values() for job in listed), now=now)
    silent = [row for row in attention(lists["held"], request.user, rows=rows, holdings=held, now=now) if row.silent]
    heard = process_heartbeats.last_heard()
    needs: dict[str, Sequence[Any]] = {
        "processes": silent_processes(heard, now=now),
        "incidents": incidents.open,
        "failing_workers": failing_workers(jobs, request.user, now=now),
        "silent_workers": silent,
    }
    attention_count = incidents.number + sum(len(each) for name, each in needs.items() if name != "incidents")
    listed = first_of(needs, most=LISTED)
    shown = {row.job.pk for row in listed["silent_workers"]}
    shown |= {row.only.body["id"] for row in listed["incidents"] if row.only}
    shown_tiles = tiles(jobs, filters=filters, now=now)
    running_count = next(tile.count for tile in shown_tiles if tile.label == "Running")
    return {
        "tiles": shown_tiles,
        "deliveries": delivery_summary(request, jobs if filters else None),
        "no_match": _no_match(visible, lists, filters),
        "attention": listed,
        "attention_listed": sum(map(len, listed.values())),
        "attention_count": attention_count,
        "incidents": incidents,
        "watchdog_never_ran": heard[process_heartbeats.WATCHDOG] is None,
        "title": f"({format_number(attention_count)}) Overview" if attention_count else "Overview",
        "running_count": running_count,
        "running": [rows[job.pk] for job in lists["running"] if job.pk not in shown][:RUNNING_LISTED],
        "finished": [rows[job.pk] for job in lists["finished"]],
        "throughput": throughput(jobs, now=now),
        "workers": recent_workers(request.user, now=now, jobs=jobs if filters else None),
        "kinds": FilterForm().fields["kind"].choices,  # type: ignore[attr-defined]
        "projects": _projects(visible),
        "first_run": not filters and not any(lists.values()) and not visible.exists(),
        "back": request.get_full_path(),
        **_live(filters, now=now),
    }


def _no_match(visible: JobQuerySet, lists: dict[str, list[Job]], filters: Filters) -> str:
    """Say that no job matches the filter, and what needs attention outside it; empty where one matches."""
    if not filters or any(lists.values()) or _narrowed(visible, filters).exists():
        return ""
    wanted = [f"“{filters['q']}”"] if "q" in filters else []
    wanted += [f"{name} {filters[name]}" for name in ("kind", "project") if name in filters]
    stuck, failed = (up_to_a_thousand(some) for some in (visible.stuck(), visible.filter(status=JobStatus.FAILED)))
    return f"No job matches {', '.join(wanted)}. {stuck} stuck, {failed} failed outside this filter."


def _narrowed(jobs: JobQuerySet, filters: Filters) -> JobQuerySet:
    exact = {name: filters[name] for name in ("kind", "project") if name in filters}
    found = jobs.filter(**exact)
    return found.filter(name__icontains=filters["q"]) if "q" in filters else found


def _lists(jobs: JobQuerySet) -> dict[str, list[Job]]:
    """Return the jobs of each section. Some of the running ones may be shown as incidents instead."""
    return {
        "running": list(running(jobs).order_by("-updated_at", "-id")[: RUNNING_LISTED + LISTED]),
        "finished": list(jobs.filter(finished_at__isnull=False).order_by("-finished_at", "-id")[:FINISHED_LISTED]),
    }


def _held_by_silent(jobs: JobQuerySet, *, now: datetime) -> list[Holding]:
    """Return the items of workers that missed heartbeats; those that are gone for good are incidents."""
    found = [holding for holding in holdings(jobs, now=now) if now - holding.workers[0].seen_at <= SILENT]
    return found[:SILENT_LISTED]


def _projects(jobs: JobQuerySet) -> list[str]:
    """Return the projects of recently changed jobs, for the suggestions of the filter."""
    return sorted({*jobs.order_by("-updated_at", "-id").values_list("project", flat=True)[:RECENT]} - {""})


def _live(filters: Filters, *, now: datetime) -> dict[str, Any]:
    project = filters.get("project", "")
    socket = f"/ws/projects/{quote(project, safe='')}" if project else "/ws/jobs"
    query = urlencode({"limit": 200, "ordering": "-updated_at"} | ({"project": project} if project else {}))
    return live(now=now, socket=socket, poll=f"{reverse('api-jobs')}?{query}", single=False)
