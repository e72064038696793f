"""The page of one item: status, worker, lease, error, payload, result, and the acts on it."""

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
from jobs.console.base import LONGEST_ID, forbidden_page, live, not_found_page, not_visible, render_page, visible_jobs
from jobs.console.items.attempts import attempts_of, retry_text
from jobs.console.job.head_acts import VIEW_ONLY, may_act
from jobs.models import Event, Item, Worker
from jobs.operations.buttons import ActButton, item_buttons
from jobs.operations.snapshot import JobSnapshot, snapshot_of
from jobs.rules import pipelines
from jobs.rules.formatting import format_duration
from jobs.rules.statuses import ItemStatus
from jobs.serializers import job_body

EVENTS_LISTED = 20
NEEDED = "To see items, an account needs the permissions jobs.view_job and jobs.view_item (role viewer)."


def item_page(request: HttpRequest, site: AdminSite, item_id: str) -> HttpResponse:
    """Show one item; 404 if its job is not visible to the account."""
    jobs = visible_jobs(request)
    if jobs is None or not request.user.has_perm("jobs.view_item"):
        return forbidden_page(request, site, NEEDED)
    items = Item.objects.select_related("phase__job", "account").filter(phase__job__in=jobs)
    item = items.filter(pk=int(item_id)).first() if len(item_id) <= LONGEST_ID else None
    if item is None:
        return not_found_page(request, site, not_visible("Item", item_id))
    return render_page(request, site, "jobs/item.html", _context(request, item))


def _context(request: HttpRequest, item: Item) -> dict[str, Any]:
    job = item.phase.job
    snapshot = snapshot_of(job)
    return {
        "title": str(item),
        "item": item,
        "phase": item.phase,
        "job": job,
        "body": job_body(job, now=snapshot.now, phases=snapshot.phases),
        "kind": pipelines.label_of(job.kind),
        "style": status_styles.STYLES[item.status],
        "lease": lease_words(item, now=snapshot.now),
        "took": _took(item),
        "worker": Worker.objects.filter(name=item.worker, account=item.account_id).first() if item.worker else None,
        "most_tries": settings.ITEM_MAX_ATTEMPTS,
        "most_failures": item.phase.retries + 1,
        "retrying": retry_text(item, retries=item.phase.retries, now=snapshot.now),
        "attempts": attempts_of(item),
        "buttons": [_item_button(each, item, snapshot) for each in item_buttons(snapshot, request.user)],
        "view_only": "" if may_act(request.user) else VIEW_ONLY,
        "same_error_url": _items_url(item, status=ItemStatus.FAILED, signature=item.signature)
        if item.signature
        else "",
        "list_url": _items_url(item),
        "events": _events(item) if request.user.has_perm("jobs.view_event") else [],
        "back": request.get_full_path(),
        **live(
            now=snapshot.now,
            socket=f"/ws/jobs/{job.pk}",
            poll=reverse("api-job", args=[job.pk]),
            single=True,
            over=job.is_finished and not job.reworking,
        ),
    }


def lease_words(item: Item, *, now: datetime) -> str:
    """Describe the lease of an item: its holder's remaining time, or why there is none."""
    if item.status != ItemStatus.PROCESSING:
        return "not leased"
    if item.lease_expires_at is None:
        return "held without a lease; release the item to free it"
    if item.lease_expires_at < now:
        return f"the lease expired {format_duration((now - item.lease_expires_at).total_seconds())} ago"
    return f"leased for another {format_duration((item.lease_expires_at - now).total_seconds())}"


def _took(item: Item) -> str:
    if item.started_at is None or item.finished_at is None:
        return ""
    return format_duration((item.finished_at - item.started_at).total_seconds())


def _item_button(button: ActButton, item: Item, snapshot: JobSnapshot) -> ActButton:
    """Return the button for this item alone, disabled when its status forbids the act."""
    return replace(
        button,
        label=f"{button.act.label}…",
        effect=button.act.item_effect,
        url=f"{button.url}?{urlencode({'item': item.pk})}",
        why_not=button.why_not or button.act.item_refusal(snapshot, item),
    )


def _items_url(item: Item, **filters: str) -> str:
    """Return the address of the phase's item list on the job page."""
    return f"{item.phase.job.get_absolute_url()}?{urlencode({'phase': item.phase.code, **filters})}#items"


def _events(item: Item) -> list[tuple[Event, bool]]:
    """Return the newest events of the phase and of the whole job, and whether each names this item."""
    events = Event.objects.filter(Q(phase=item.phase_id) | Q(phase=None), job=item.phase.job).order_by("-id")
    return [(event, item.key in event.data.get("keys", ())) for event in events[:EVENTS_LISTED]]
