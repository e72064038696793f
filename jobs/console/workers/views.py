"""The page of one worker: state, leased items, throughput and latest failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from jobs.access import Access, access_of
from jobs.console.base import forbidden_page, live, not_found_page, not_visible, render_page
from jobs.console.overview.silent_workers import release_of
from jobs.console.status_styles import FAILING
from jobs.console.workers.worker_figures import day_of, figures_of_workers
from jobs.console.workers.worker_queries import worker_style
from jobs.models import Job, Quarantine, Worker
from jobs.models.items import ItemQuerySet
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.snapshot import snapshot_of

SEE_WORKERS = "To see workers, your account needs the permission jobs.view_worker (role viewer)."
JOBS_LISTED = 50
FAILURES_LISTED = 10


@dataclass(frozen=True, slots=True)
class Hold:
    """The leased items of a worker in one job: times and the release button.

    `live` items are under a lease that has not expired.
    """

    job: Job
    items: int
    live: int
    since: datetime | None
    until: datetime | None
    url: str
    button: ActButton


def worker_page(request: HttpRequest, site: AdminSite, worker_id: str) -> HttpResponse:
    """Show one worker; 404 where it was last seen in a project that is not visible to the account."""
    access = access_of(request.user)
    if not access.may("view_worker"):
        return forbidden_page(request, site, SEE_WORKERS)
    worker = Worker.objects.select_related("job", "account").filter(pk=int(worker_id)).first()
    if worker is None or not access.sees(worker.project):
        return not_found_page(request, site, not_visible("Worker", worker_id))
    now = timezone.now()
    own = worker.items
    if access.projects is not None:
        own = own.filter(phase__job__project__in=access.projects)
    failures = own.failed().select_related("phase__job").order_by("-finished_at", "-id")
    context = {
        "title": f"Worker {worker.name}",
        "worker": worker,
        "style": worker_style(worker.seen_at, now=now),
        "failing": FAILING if Worker.objects.only_failing(now).filter(pk=worker.pk).exists() else None,
        "quarantines": _quarantines(request, worker, access),
        "holds": _holds(request, worker, own.held(), now=now),
        "failures": list(failures[:FAILURES_LISTED]),
        "failures_url": _items(worker, "failed"),
        "figures": figures_of_workers([worker], access.projects, now=now)[worker.pk],
        "day": day_of(worker, access.projects, now=now),
        "back": request.get_full_path(),
        **_live(worker, now=now),
    }
    return render_page(request, site, "jobs/workers/worker.html", context)


def _quarantines(request: HttpRequest, worker: Worker, access: Access) -> list[tuple[Quarantine, ActButton]]:
    """Return the quarantines of the worker in visible unfinished phases, each with its button."""
    rows = Quarantine.objects.of(worker.name, worker.owner).in_unfinished_phases().select_related("phase__job")
    if access.projects is not None:
        rows = rows.filter(phase__job__project__in=access.projects)
    return [(row, _lift(request, row)) for row in rows[:JOBS_LISTED]]


def _lift(request: HttpRequest, row: Quarantine) -> ActButton:
    snapshot = snapshot_of(row.phase.job, phases=[row.phase])
    return act_button("lift", snapshot, request.user, phase=row.phase.code, worker=row.worker)


def _holds(request: HttpRequest, worker: Worker, held: ItemQuerySet, *, now: datetime) -> list[Hold]:
    groups = (
        held.order_by("phase__job_id")
        .values_list("phase__job_id")
        .annotate(
            items=Count("pk"),
            live=Count("pk", filter=Q(lease_expires_at__gte=now)),
            since=Min("started_at"),
            until=Max("lease_expires_at"),
        )[:JOBS_LISTED]
    )
    jobs = Job.objects.in_bulk([group[0] for group in groups])
    return [
        Hold(
            job=jobs[job_id],
            items=items,
            live=alive,
            since=since,
            until=until,
            url=_items(worker, "processing"),
            button=release_of(worker, snapshot_of(jobs[job_id], phases=[], now=now), request.user, items=items),
        )
        for job_id, items, alive, since, until in groups
        if job_id in jobs
    ]


def _items(worker: Worker, status: str) -> str:
    query = urlencode({**worker.items_query, "status__exact": status})
    return f"{reverse('admin:jobs_item_changelist')}?{query}"


def _live(worker: Worker, *, now: datetime) -> dict[str, object]:
    """Return the live settings: every report and claim of the worker changes a job."""
    poll = f"{reverse('api-jobs')}?{urlencode({'limit': 1, 'ordering': '-updated_at'})}"
    return live(now=now, socket="/ws/jobs", poll=poll, single=False)
