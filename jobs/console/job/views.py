"""The page of one job."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs.api import badge_links
from jobs.console.base import LONGEST_ID, forbidden_page, live, not_found_page, not_visible, render_page, visible_jobs
from jobs.console.errors.error_groups import error_groups_in
from jobs.console.items.section import items_section
from jobs.console.job.diagnosis_panel import diagnosis_panel
from jobs.console.job.head_acts import head_acts
from jobs.console.job.last_act import last_acts
from jobs.console.job.phase_strip import phase_strip
from jobs.console.job.timeline import timeline_section
from jobs.console.job_rows import row_of
from jobs.console.overview.throughput import rate_of
from jobs.console.workers.worker_queries import worker_of
from jobs.models import Job
from jobs.operations.buttons import item_buttons
from jobs.operations.registry import MEANING
from jobs.operations.snapshot import JobSnapshot, snapshot_of
from jobs.rules import pipelines
from jobs.rules.formatting import format_duration, format_number
from jobs.rules.pace import RATE_WINDOW_MINUTES
from jobs.serializers import JobBody, PhaseBody, job_body

NO_LINKS = f"Needs the permission “{MEANING['share_job']}”. Ask an administrator for a role that has it."
ExtraContext = Callable[[HttpRequest, JobSnapshot, JobBody], dict[str, Any]]


def job_page(request: HttpRequest, site: AdminSite, job_id: str) -> HttpResponse:
    """Show one job, or redirect to the page of its kind; 404 if it is not visible to the account."""
    kind = Job.objects.filter(pk=int(job_id)).values_list("kind", flat=True).first()
    if kind is not None and pipelines.page_of(kind) != pipelines.JOB_PAGE:
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(reverse(pipelines.page_of(kind), args=[job_id]) + query)
    return show_job(request, site, job_id)


def show_job(
    request: HttpRequest,
    site: AdminSite,
    job_id: str,
    *,
    template: str = "jobs/job.html",
    kind: str = "",
    extra_context: ExtraContext | None = None,
    grid: bool = True,
    exclude: Collection[str] = (),
) -> HttpResponse:
    """Show a job in a template that extends `jobs/job.html`; 404 if it is not visible to the account.

    Pipeline apps show their jobs with it. `kind` restricts the page to jobs of that kind. `extra_context` returns the
    context of the app's own blocks. Without `grid` the page has the list of items only, for apps with their own grid.
    `exclude` names the acts that the app's blocks offer themselves.
    """
    jobs = visible_jobs(request)
    if jobs is None:
        return forbidden_page(
            request, site, "To see jobs, an account needs the permission jobs.view_job (role viewer)."
        )
    number = int(job_id) if job_id.isascii() and job_id.isdigit() and len(job_id) <= LONGEST_ID else 0
    job = jobs.filter(pk=number, **({"kind": kind} if kind else {})).first()
    if job is None:
        return not_found_page(request, site, not_visible("Job", job_id))
    snapshot = snapshot_of(job)
    context = _context(request, snapshot, grid=grid, exclude=exclude)
    more = extra_context(request, snapshot, context["body"]) if extra_context else {}
    return render_page(request, site, template, {**context, **more})


def _context(request: HttpRequest, snapshot: JobSnapshot, *, grid: bool, exclude: Collection[str]) -> dict[str, Any]:
    job = snapshot.job
    body = job_body(job, now=snapshot.now, phases=snapshot.phases)
    panel = diagnosis_panel(snapshot, request.user, exclude=exclude)
    return {
        "title": job.name,
        "job": job,
        "body": body,
        "kind": pipelines.label_of(job.kind),
        "row": row_of(body),
        "phases": list(zip(snapshot.phases, body["phases"], strict=True)),
        "strip": phase_strip(snapshot, body["phases"]),
        "panel": panel,
        "acts": head_acts(job, panel, request.user),
        **last_acts(snapshot),
        "worker": worker_of(job),
        "failures": error_groups_in(snapshot, request),
        "formula": [*formula(body), *eta_formula(body)],
        "rate": rate_of(job, now=snapshot.now),
        "item_buttons": item_buttons(snapshot, request.user),
        "back": request.get_full_path(),
        "links": _links(request, job),
        "links_why_not": NO_LINKS,
        **items_section(request, snapshot, grid=grid),
        **timeline_section(request, job),
        **_live(job, snapshot),
    }


def _links(request: HttpRequest, job: Job) -> badge_links.Links | None:
    """Return the badge links; None if the account may not share them."""
    return badge_links.links(job, at=request.build_absolute_uri) if request.user.has_perm("jobs.share_job") else None


def _live(job: Job, snapshot: JobSnapshot) -> dict[str, Any]:
    poll = reverse("api-job", args=[job.pk])
    return live(
        now=snapshot.now,
        socket=f"/ws/jobs/{job.pk}",
        poll=poll,
        single=True,
        over=job.is_finished and not job.reworking,
    )


def formula(body: JobBody) -> list[str]:
    """Explain the percent of each phase and of the job, with the numbers."""
    phases = body["phases"]
    lines = [_phase_formula(phase) for phase in phases]
    if len(phases) > 1:
        weights = [phase["weight"] for phase in phases]
        shares = " + ".join(f"{weight}·{_share(phase)}" for weight, phase in zip(weights, phases, strict=True))
        lines.append(f"Job: ({shares}) / {sum(weights)} weight, rounded down once = {body['percent']} %.")
    return lines


def eta_formula(body: JobBody) -> list[str]:
    """Explain the ETA of each running phase, or why it has none."""
    working = [phase for phase in body["phases"] if phase["status"] == "processing"]
    return [f"ETA of {phase['label']}: {_phase_eta(phase)}" for phase in working]


def _phase_eta(phase: PhaseBody) -> str:
    if phase["expected"] is None:
        return "unknown, because the total is not announced."
    rate = phase["rate_per_minute"]
    left = max(0, phase["expected"] - phase["done"] - phase["skipped"] - phase["failed"])
    if not rate:
        return (
            f"unknown, because no item was settled in the last {RATE_WINDOW_MINUTES} minutes;"
            f" {format_number(left)} open."
        )
    return (
        f"{format_number(left)} open / {format_number(rate)} settled per minute"
        f" (the last {RATE_WINDOW_MINUTES} minutes) = {format_duration(phase['eta_seconds'])}."
    )


def _share(phase: PhaseBody) -> str:
    if phase["status"] == "completed":
        return "100 %"
    return (
        f"{format_number(phase['done'] + phase['skipped'])}/{format_number(phase['expected'])}"
        if phase["expected"]
        else "0"
    )


def _phase_formula(phase: PhaseBody) -> str:
    processed, expected = phase["done"] + phase["skipped"], phase["expected"]
    if expected is None:
        return f"{phase['label']}: the total is not announced yet, so there is no percent and the phase counts as 0 %."
    if expected == 0:
        return f"{phase['label']}: nothing was expected."
    return (
        f"{phase['label']}: ({format_number(phase['done'])} done + {format_number(phase['skipped'])} skipped) · 100 /"
        f" {format_number(expected)}, rounded down = {phase['percent']} %."
        f" It completes when {format_number(processed)} · 100 reaches"
        f" {format_number(expected)} · {phase['threshold']}, that is at {format_number(phase['needed'])}."
    )
