"""The page of one job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from jobs import kinds, progress
from jobs.models import Delivery, Event, Job, Phase
from jobs.previews import Figures, Offer, figures_of, item_offers, offer, offers
from jobs.serializers import ErrorGroup, JobBody, PhaseBody, error_groups, job_body
from jobs.views.attention import out_of_reach, stuck_since
from jobs.views.items import items_section
from jobs.views.pages import forbidden, jobs_of, live, missing, page
from jobs.views.rows import row_of
from jobs.views.throughput import rate_of
from jobs.views.told import place
from jobs.views.workers import worker_of
from jobs.words import number, things

EVENTS_LISTED = 50
ERRORS_LISTED = 10


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures with one sentence, and the button that retries them."""

    group: ErrorGroup
    offer: Offer


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery of an event, and what its endpoint is called."""

    delivery: Delivery
    place: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of the timeline, and the deliveries of an outward one."""

    event: Event
    deliveries: list[Told]


def job_page(request: HttpRequest, site: AdminSite, job_id: str) -> HttpResponse:
    """Everything about one job; 404 where it is out of sight."""
    jobs = jobs_of(request)
    if jobs is None:
        return forbidden(request, site, "To see jobs an account needs the permission jobs.view_job (role viewer).")
    job = jobs.filter(pk=int(job_id)).first()
    if job is None:
        return missing(request, site, f"There is no job {job_id} in your sight. It may have been pruned.")
    return page(request, site, "jobs/job.html", _context(request, job))


def _context(request: HttpRequest, job: Job) -> dict[str, Any]:
    figures = figures_of(job)
    body = job_body(job, now=figures.now)
    return {
        "title": job.name,
        "job": job,
        "body": body,
        "kind": kinds.get(job.kind).label if job.kind in dict(kinds.choices()) else job.kind,
        "row": row_of(body),
        "phases": list(zip(figures.phases, body["phases"], strict=True)),
        "why_stuck": why_stuck(figures) if job.stuck else [],
        "worker": worker_of(job),
        "offers": offers(figures, request.user),
        "failures": _failures(figures, request),
        "formula": formula(body),
        "rate": rate_of(job, now=figures.now),
        "timeline": _timeline(request, job),
        "may_replay": request.user.has_perms(["jobs.view_delivery", "jobs.replay_event"]),
        "item_offers": item_offers(figures, request.user),
        "back": request.get_full_path(),
        **items_section(request, figures),
        **_live(job, figures),
    }


def _failures(figures: Figures, request: HttpRequest) -> list[Failures]:
    if not any(phase.failed for phase in figures.phases if not phase.counted):
        return []
    return [
        Failures(group, replace(_retry(figures, request, group), label=f"Retry these {number(group['count'])}…"))
        for group in error_groups(figures.job)[:ERRORS_LISTED]
    ]


def _retry(figures: Figures, request: HttpRequest, group: ErrorGroup) -> Offer:
    return offer("retry", figures, request.user, signature=group["signature"])


def _timeline(request: HttpRequest, job: Job) -> list[Moment]:
    """The newest events; the outward ones with what became of them, where the account may see that."""
    events = Event.objects.filter(job=job).select_related("phase").order_by("-id")[:EVENTS_LISTED]
    if not request.user.has_perm("jobs.view_delivery"):
        return [Moment(event, []) for event in events]
    deliveries = Delivery.objects.select_related("endpoint").order_by("pk")
    found = events.prefetch_related(Prefetch("deliveries", deliveries))
    return [Moment(event, [Told(each, place(each.endpoint)) for each in event.deliveries.all()]) for event in found]


def _live(job: Job, figures: Figures) -> dict[str, Any]:
    poll = reverse("api-job", args=[job.pk])
    return live(now=figures.now, socket=f"/ws/jobs/{job.pk}", poll=poll, single=True)


def why_stuck(figures: Figures) -> list[str]:
    """What keeps the job from finishing by itself, in sentences."""
    causes = [stuck_since(figures.job, now=figures.now).capitalize()]
    if figures.free:
        causes.append(f"{things(figures.free, 'lease')} without a live holder")
    causes.append(f"{things(figures.live, 'live lease')}" if figures.live else "nobody holds a live lease")
    causes += [out_of_reach(phase) for phase in figures.out_of_reach()]
    causes += [_gap(phase) for phase in figures.unfinished if phase.gate_open]
    return causes


def _gap(phase: Phase) -> str:
    counts = phase.counts
    if counts.expected is None:
        return f"{phase.label}: {number(counts.settled)} settled, the total was never announced"
    open_items = max(0, counts.expected - counts.settled)
    needed = progress.needed(counts.expected, phase.threshold)
    return f"{phase.label}: needs {number(needed)}, has {number(counts.processed)}, {number(open_items)} open"


def formula(body: JobBody) -> list[str]:
    """How the percent of this job comes about, with its figures."""
    phases = body["phases"]
    lines = [_phase_formula(phase) for phase in phases]
    if len(phases) > 1:
        weights = [phase["weight"] for phase in phases]
        shares = " + ".join(f"{weight}·{_share(phase)}" for weight, phase in zip(weights, phases, strict=True))
        lines.append(f"Job: ({shares}) / {sum(weights)} weight, rounded down once = {body['percent']} %.")
    return lines


def _share(phase: PhaseBody) -> str:
    if phase["status"] == "completed":
        return "100 %"
    return f"{number(phase['done'] + phase['skipped'])}/{number(phase['expected'])}" if phase["expected"] else "0"


def _phase_formula(phase: PhaseBody) -> str:
    processed, expected = phase["done"] + phase["skipped"], phase["expected"]
    if expected is None:
        return f"{phase['label']}: the total is not announced yet, so there is no percent and it counts as 0."
    if expected == 0:
        return f"{phase['label']}: nothing was expected."
    return (
        f"{phase['label']}: ({number(phase['done'])} done + {number(phase['skipped'])} skipped) · 100 /"
        f" {number(expected)}, rounded down = {phase['percent']} %. It completes when {number(processed)} · 100"
        f" reaches {number(expected)} · {phase['threshold']}, that is at {number(phase['needed'])}."
    )
