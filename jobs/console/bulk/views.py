"""The page of a bulk act: progress, result and refusals, and the button that stops it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from jobs.console import status_styles
from jobs.console.base import forbidden_page, not_found_page, not_visible, render_page
from jobs.console.bulk.rework import rework_of
from jobs.console.bulk.summary_text import Done, amount, groups, headline, items_left, jobs_of_act
from jobs.models import BulkAct, Job
from jobs.models.bulk import TargetOutcome
from jobs.models.jobs import projects_of
from jobs.operations import bulk
from jobs.operations.registry import ACTS
from jobs.rules.errors import NotPermitted, Refused
from jobs.rules.formatting import format_number, pluralize

SEE_BULK_ACTS = "To see bulk acts, your account needs the permission jobs.view_bulkact (role viewer)."
MOST_SHOWN = 25
IDLE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The number of jobs in a state: before the act, and after the part that is done."""

    style: status_styles.StatusStyle
    before: int
    after: int


def bulk_page(request: HttpRequest, site: AdminSite, bulk_id: str) -> HttpResponse:
    """Show a bulk act. While it runs the page reloads every few seconds, also without scripts."""
    found = _found(request, site, bulk_id)
    if isinstance(found, HttpResponse):
        return found
    return render_page(request, site, "jobs/bulk/bulk.html", _context(request, found))


def stop_bulk(request: HttpRequest, site: AdminSite, bulk_id: str) -> HttpResponse:
    """Stop a bulk act; the remaining jobs are not changed."""
    found = _found(request, site, bulk_id)
    if isinstance(found, HttpResponse):
        return found
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    assert isinstance(request.user, User)
    try:
        bulk.stop_bulk_act(found, actor=request.user)
    except NotPermitted as error:
        return forbidden_page(request, site, error.detail)
    except Refused as error:
        messages.error(request, error.detail)
    else:
        planned = sum(found.targets.values_list("planned", flat=True))
        left = pluralize(planned - found.changed, "item") if planned else pluralize(found.left, "job")
        messages.success(request, f"Stopped: {left} not changed.")
    return HttpResponseRedirect(found.get_absolute_url())


def _found(request: HttpRequest, site: AdminSite, bulk_id: str) -> BulkAct | HttpResponse:
    if not (request.user.has_perm("jobs.view_bulkact") and request.user.has_perm("jobs.view_job")):
        return forbidden_page(request, site, SEE_BULK_ACTS)
    found = BulkAct.objects.visible_to(request.user).filter(pk=int(bulk_id)).first()
    return found or not_found_page(request, site, not_visible("Bulk act", bulk_id))


def _context(request: HttpRequest, found: BulkAct) -> dict[str, object]:
    act = ACTS[found.act]
    jobs = _visible(request, jobs_of_act(found))
    changed = [job for job in jobs if job.outcome == TargetOutcome.CHANGED]
    # A large act on one job counts its items, any other act its jobs.
    planned = sum(job.planned for job in jobs)
    lost, total = (0, planned) if planned else (found.refused, found.total)
    acted = found.changed if planned else found.done + found.unchanged
    parts = max(1, total)
    return {
        "title": f"{act.label} {pluralize(found.total, 'job')}",
        "bulk": found,
        "act": act,
        "style": status_styles.BULK_STYLES[found.status],
        "percent": (acted + lost) * 100 // parts,
        "lost": lost * 100 // parts,
        "acted": acted * 100 // parts,
        "progress": f"{format_number(acted + lost)} of {format_number(total)} {'items' if planned else 'jobs'}",
        "in_portions": bool(planned),
        "headline": headline(found),
        "amount": amount(act, found.changed),
        "rework": rework_of(found, jobs),
        "refused": groups(jobs, TargetOutcome.REFUSED),
        "unchanged": groups(jobs, TargetOutcome.UNCHANGED),
        "items_left": items_left(jobs),
        "changed": changed[-MOST_SHOWN:][::-1],
        "more_changed": max(0, len(changed) - MOST_SHOWN),
        "statuses": _statuses(jobs),
        "shown": MOST_SHOWN,
        "shown_slice": f":{MOST_SHOWN}",
        "list_url": reverse("admin:jobs_bulkact_changelist"),
        "idle": found.is_running and timezone.now() - (found.worked_at or found.created_at) > IDLE,
        "may_stop": request.user.has_perm(act.permission),
    }


def _visible(request: HttpRequest, jobs: list[Done]) -> list[Done]:
    """Return the jobs that are still in the projects of the account."""
    projects = projects_of(request.user)
    if projects is None:
        return jobs
    ids = [job.job_id for job in jobs]
    visible = set(Job.objects.filter(pk__in=ids, project__in=projects).values_list("pk", flat=True))
    return [job for job in jobs if job.job_id in visible]


def _statuses(jobs: list[Done]) -> list[StatusLine]:
    before, after = Counter(job.was for job in jobs), Counter(job.became or job.was for job in jobs)
    known = [status for status in status_styles.STYLES if status in before or status in after]
    return [StatusLine(status_styles.STYLES[status], before[status], after[status]) for status in known]
