"""The page of one item: its state, who has it, its error, what it was given and gave, and what may be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import AdminSite
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from jobs.console import status_styles
from jobs.console.base import LONGEST_ID, forbidden_page, live, not_found_page, render_page, visible_jobs
from jobs.models import Event, Item, Worker
from jobs.operations.buttons import ActButton, item_buttons
from jobs.operations.snapshot import JobSnapshot, snapshot_of
from jobs.rules import pipelines
from jobs.rules.formatting import format_duration
from jobs.rules.statuses import ItemStatus
from jobs.serializers import job_body

EVENTS_LISTED = 20
NEEDED = "To see items an account needs the permissions jobs.view_job and jobs.view_item (role viewer)."


def item_page(request: HttpRequest, site: AdminSite, item_id: str) -> HttpResponse:
    """Everything about one item; 404 where its job is out of sight."""
    jobs = visible_jobs(request)
    if jobs is None or not request.user.has_perm("jobs.view_item"):
        return forbidden_page(request, site, NEEDED)
    items = Item.objects.select_related("phase__job", "account").filter(phase__job__in=jobs)
    item = items.filter(pk=int(item_id)).first() if len(item_id) <= LONGEST_ID else None
    if item is None:
        return not_found_page(request, site, f"There is no item {item_id} in your sight. It may have been pruned.")
    return render_page(request, site, "jobs/item.html", _context(request, item))


def _context(request: HttpRequest, item: Item) -> dict[str, Any]:
    job = item.phase.job
    figures = snapshot_of(job)
    return {
        "title": str(item),
        "item": item,
        "phase": item.phase,
        "job": job,
        "body": job_body(job, now=figures.now, phases=figures.phases),
        "kind": pipelines.label_of(job.kind),
        "face": status_styles.STYLES[item.status],
        "lease": lease_words(item, now=figures.now),
        "took": _took(item),
        "worker": Worker.objects.filter(name=item.worker).first() if item.worker else None,
        "most_tries": settings.ITEM_MAX_ATTEMPTS,
        "offers": [_offer(each, item, figures) for each in item_buttons(figures, request.user)],
        "alike": _listed(item, status=ItemStatus.FAILED, signature=item.signature) if item.signature else "",
        "listed": _listed(item),
        "events": _events(item) if request.user.has_perm("jobs.view_event") else [],
        "back": request.get_full_path(),
        **live(
            now=figures.now,
            socket=f"/ws/jobs/{job.pk}",
            poll=reverse("api-job", args=[job.pk]),
            single=True,
            over=job.is_finished,
        ),
    }


def lease_words(item: Item, *, now: datetime) -> str:
    """Whether somebody holds it, and until when."""
    if item.status != ItemStatus.PROCESSING:
        return "nobody holds it"
    if item.lease_expires_at is None:
        return "held without a lease; only a release frees it"
    if item.lease_expires_at < now:
        return f"the lease expired {format_duration((now - item.lease_expires_at).total_seconds())} ago"
    return f"held for another {format_duration((item.lease_expires_at - now).total_seconds())}"


def _took(item: Item) -> str:
    if item.started_at is None or item.finished_at is None:
        return ""
    return format_duration((item.finished_at - item.started_at).total_seconds())


def _offer(made: ActButton, item: Item, figures: JobSnapshot) -> ActButton:
    """The act on this item alone, or why its state forbids it."""
    return replace(
        made,
        label=f"{made.act.label}…",
        effect=made.act.item_effect,
        url=f"{made.url}?{urlencode({'item': item.pk})}",
        why_not=made.why_not or made.act.item_refusal(figures, item),
    )


def _listed(item: Item, **filters: str) -> str:
    """The list of its phase on the page of its job."""
    return f"{item.phase.job.get_absolute_url()}?{urlencode({'phase': item.phase.code, **filters})}#items"


def _events(item: Item) -> list[tuple[Event, bool]]:
    """The newest events of its phase and of the job as a whole, and whether each names this item."""
    events = Event.objects.filter(Q(phase=item.phase_id) | Q(phase=None), job=item.phase.job).order_by("-id")
    return [(event, item.key in event.data.get("keys", ())) for event in events[:EVENTS_LISTED]]
