"""Attention rows about the whole site: silent processes, failing workers, late deliveries, jobs without a worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.urls import reverse

from jobs.console.deliveries.delivery_queries import endpoint_name, visible_deliveries
from jobs.console.status_styles import DELAYED, FAILING, QUARANTINED, STYLES, StatusStyle
from jobs.console.workers.worker_queries import Workers
from jobs.models import Delivery, Job, Phase, Quarantine, Worker
from jobs.models.jobs import JobQuerySet
from jobs.models.workers import SILENT
from jobs.rules.formatting import format_duration, format_number, pluralize
from jobs.watchdog import process_heartbeats

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

LATE_AFTER = timedelta(minutes=10)
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


def silent_processes(now: datetime) -> list[SiteRow]:
    """Return a row for the watchdog and the deliverer when no such process sent a heartbeat for a minute."""
    return [
        SiteRow(
            style=STYLES["silent"],
            name=silence.kind,
            about="process",
            cause=silence.sentence,
            detail=f"{silence.consequence} Start it: {silence.command}",
        )
        for silence in process_heartbeats.silences(now)
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


def quarantined_workers(jobs: JobQuerySet, *, now: datetime) -> list[SiteRow]:
    """Return the workers that are quarantined in unfinished phases of these jobs, the latest first."""
    rows = Quarantine.objects.in_unfinished_phases().select_related("phase__job").order_by("-since", "-pk")
    if jobs.query.where:
        rows = rows.filter(phase__job__in=jobs.order_by())
    return [_quarantined(row, now=now) for row in rows[:MOST_LISTED]]


def _quarantined(row: Quarantine, *, now: datetime) -> SiteRow:
    job, phase = row.phase.job, {"phase": row.phase.code}
    retry = {"match": "items", **phase, **row.items_query, "status": "failed"}
    left = format_duration((row.until - now).total_seconds())
    return SiteRow(
        style=QUARANTINED,
        name=row.worker,
        about=f"worker of {job.name}, {row.phase.label}",
        cause=f"failed its last {format_number(row.failures)} items, another worker does not",
        detail=f"It gets one item in {left}." if row.until > now else "It gets one item at its next claim.",
        url=job.get_absolute_url(),
        label="Lift…",
        label_url=f"{_act('lift', job)}?{urlencode({**phase, 'worker': row.worker})}",
        more=(("Retry its failures…", f"{_act('retry', job)}?{urlencode(retry)}"),),
    )


def _act(slug: str, job: Job) -> str:
    return reverse("admin:job-act", kwargs={"job_id": job.pk, "slug": slug})


def late_deliveries(request: HttpRequest, jobs: JobQuerySet, *, now: datetime) -> list[SiteRow]:
    """Return active endpoints with an event of these jobs that has waited for ten minutes, the longest wait first."""
    deliveries = visible_deliveries(request)
    if deliveries is None:
        return []
    since = now - LATE_AFTER
    late = deliveries.waiting().filter(created_at__lt=since, endpoint__active=True)
    late = late.filter(Q(tries__gt=0) | Q(next_try_at__lt=since))  # a replay restarts the waiting time
    if jobs.query.where:
        late = late.filter(job__in=jobs.order_by())
    oldest: dict[int, Delivery] = {}
    for delivery in late.select_related("endpoint").order_by("created_at")[:MOST_LOOKED_AT]:
        oldest.setdefault(delivery.endpoint_id, delivery)
    return [_late(delivery, now=now) for delivery in oldest.values()]


def _late(delivery: Delivery, *, now: datetime) -> SiteRow:
    query = urlencode({"status": "waiting", "endpoint": delivery.endpoint_id})
    tried = (
        f"after {pluralize(delivery.tries, 'try', 'tries')}: {delivery.error}" if delivery.tries else "not tried yet"
    )
    return SiteRow(
        style=DELAYED,
        name=endpoint_name(delivery.endpoint),
        about="endpoint",
        cause=f"oldest event waiting for {format_duration((now - delivery.created_at).total_seconds())}",
        detail=tried,
        label="Its deliveries",
        label_url=f"{reverse('admin:jobs_delivery_changelist')}?{query}",
    )


def unattended_jobs(jobs: JobQuerySet, workers: Workers, *, now: datetime) -> list[SiteRow]:
    """Return one row when jobs wait for a worker and no worker sent a heartbeat lately."""
    since = now - SILENT
    if workers.total:
        return []
    claimable = Phase.objects.working().with_ready_items().filter(job=OuterRef("pk"))
    unheard = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=since)
    waiting = jobs.working().filter(Exists(claimable), unheard, stuck="", created_at__lt=since)
    count = waiting.order_by()[:MOST_COUNTED].count()
    if not count:
        return []
    more = " or more" if count == MOST_COUNTED else ""
    wait = "waits" if count == 1 else "wait"
    silent = format_duration(SILENT.total_seconds())
    return [
        SiteRow(
            style=STYLES["silent"],
            name="No worker",
            about="site",
            cause=f"{pluralize(count, 'job')}{more} {wait} for a worker. No worker has sent a heartbeat for {silent}.",
            detail="Items are pending and none is leased. Start a worker.",
            label="Waiting jobs",
            label_url=reverse("admin:jobs_job_changelist"),
        )
    ]
