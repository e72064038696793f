"""The tiles of the overview: disjoint numbers of jobs, so that they add up, each linked to the same jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from jobs.console import status_styles
from jobs.console.status_styles import STYLES, StatusStyle
from jobs.models.jobs import JobQuerySet
from jobs.rules.formatting import format_number
from jobs.rules.statuses import JobStatus

MOST_COUNTED = 1000
DAY = timedelta(hours=24)
OPEN = {JobStatus.PROCESSING: "Running", JobStatus.PENDING: "Pending", JobStatus.PAUSED: "Paused"}
LATELY = {JobStatus.COMPLETED: "Completed 24 h", JobStatus.CANCELLED: "Cancelled 24 h"}
OTHERS = {"stuck": "no", "late": "no"}


@dataclass(frozen=True, slots=True)
class Tile:
    """Number of jobs in a state, linked to their list; counted up to 1,000."""

    style: StatusStyle
    label: str
    count: str
    url: str


def running(jobs: JobQuerySet) -> JobQuerySet:
    """Return the jobs of the tile Running: neither stuck nor late."""
    return _in_time(jobs, JobStatus.PROCESSING)


def tiles(jobs: JobQuerySet, *, filters: Mapping[str, str], now: datetime) -> list[Tile]:
    """Count these jobs. A stuck job counts as stuck only, a late one as late only."""
    address = reverse("admin:jobs_job_changelist")
    return [
        Tile(style, label, up_to_a_thousand(found), f"{address}?{urlencode({**query, **filters})}")
        for style, label, found, query in _states(jobs, now=now)
    ]


def up_to_a_thousand(found: JobQuerySet) -> str:
    """Return the number of jobs, or `999+`."""
    count = found.order_by()[:MOST_COUNTED].count()
    return f"{MOST_COUNTED - 1}+" if count == MOST_COUNTED else format_number(count)


def _states(jobs: JobQuerySet, *, now: datetime) -> list[tuple[StatusStyle, str, JobQuerySet, dict[str, str]]]:
    ok, lately = jobs.filter(stuck=""), jobs.filter(stuck="", finished_at__gte=now - DAY)
    return [
        (status_styles.STUCK, "Stuck", jobs.stuck(), {"stuck": "yes"}),
        (status_styles.LATE, "Late", ok.late(), {"late": "yes", "stuck": "no"}),
        (STYLES["failed"], "Failed", ok.filter(status="failed"), {"status": "failed", "stuck": "no"}),
        *(
            (STYLES[each], label, _in_time(jobs, each), {"status": each.value, **OTHERS})
            for each, label in OPEN.items()
        ),
        *(
            (STYLES[each], label, lately.filter(status=each), {"status": each.value, "stuck": "no", "finished": "24h"})
            for each, label in LATELY.items()
        ),
    ]


def _in_time(jobs: JobQuerySet, status: JobStatus) -> JobQuerySet:
    return jobs.filter(status=status, stuck="", late=False)
