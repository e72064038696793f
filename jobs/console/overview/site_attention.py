"""Attention rows that are no incidents: silent processes, and workers that only fail and are not quarantined yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef
from django.urls import reverse

from jobs.console.status_styles import FAILING, STYLES, StatusStyle
from jobs.models import Quarantine, Worker
from jobs.models.jobs import JobQuerySet
from jobs.rules.formatting import format_number
from jobs.watchdog import process_heartbeats

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

MOST_LISTED = 10
MOST_COUNTED = 1000
MOST_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One row: status, subject, cause, detail and a link."""

    style: StatusStyle
    name: str
    about: str
    cause: str
    detail: str
    url: str = ""
    label: str = ""
    label_url: str = ""
    more: tuple[tuple[str, str], ...] = ()


def first_of(lists: Mapping[str, Sequence[Any]], *, most: int) -> dict[str, Sequence[Any]]:
    """Return the first rows of these lists, in their order, at most so many in all."""
    shown: dict[str, Sequence[Any]] = {}
    for name, rows in lists.items():
        shown[name] = rows[:most]
        most -= len(shown[name])
    return shown


def silent_processes(heard: Mapping[str, datetime | None], *, now: datetime) -> list[SiteRow]:
    """Return a row for the watchdog and the deliverer when no such process sent a heartbeat for a minute."""
    return [
        SiteRow(
            style=STYLES["silent"],
            name=silence.kind,
            about="process",
            cause=silence.sentence,
            detail=f"{silence.consequence} Start it: {silence.command}",
        )
        for silence in process_heartbeats.silences(now, heard=heard)
    ]


def failing_workers(jobs: JobQuerySet, user: User | AnonymousUser, *, now: datetime) -> list[SiteRow]:
    """Return the workers that only fail in these jobs and are not quarantined, the most failures in a row first."""
    kept = Quarantine.objects.in_unfinished_phases().filter(worker=OuterRef("name"), owner=OuterRef("owner"))
    failing = Worker.objects.only_failing(now).filter(~Exists(kept)).select_related("job")
    failing = failing.order_by("-failed_in_a_row", "name")
    if jobs.query.where:
        failing = failing.filter(job__in=jobs.order_by())
    listed = list(failing[:MOST_LISTED])
    if not listed:
        return []
    others = set(Worker.objects.succeeding(now).values_list("job", flat=True))
    may_open = user.has_perm("jobs.view_worker")
    return [_failing(worker, others_succeed=worker.job_id in others, may_open=may_open) for worker in listed]


def _failing(worker: Worker, *, others_succeed: bool, may_open: bool) -> SiteRow:
    others = ", others succeed" if others_succeed else ""
    items = urlencode({**worker.items_query, "status__exact": "failed"})
    return SiteRow(
        style=FAILING,
        name=worker.name,
        about=f"worker of {worker.job.name}" if worker.job else "worker",
        cause=f"failed its last {format_number(worker.failed_in_a_row)} items{others}",
        detail="Stop this worker, then retry its items.",
        url=worker.get_absolute_url() if may_open else "",
        label="Its failures",
        label_url=f"{reverse('admin:jobs_item_changelist')}?{items}",
    )
