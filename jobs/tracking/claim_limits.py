"""Limits of leased items: of a phase, by its counters, and of a project, by the counters of its unfinished jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, F, Q, Sum

from jobs.change import Change
from jobs.models import Phase, ProjectLimit
from jobs.models.phases import PhaseQuerySet
from jobs.rules.formatting import format_number, pluralize
from jobs.rules.statuses import UNFINISHED_JOB, Reason
from jobs.tracking.types import Claimed

Row = tuple[Any, ...]


def at_limit(phase: Phase) -> Claimed | None:
    """Return the answer of a phase that has as many leased items as it may, from its row alone; else None."""
    return _of_phase(phase) if phase.room == 0 else None


def is_limited(change: Change) -> Exists:
    """Return whether a project of these jobs has a limit, to be read without a statement of its own."""
    return Exists(ProjectLimit.objects.filter(project__in=_projects(change)))


def within(change: Change, rows: Sequence[Row], *, limit: int) -> tuple[list[Row], Claimed | None]:
    """Return the first rows that the limits allow, the most urgent first, and the answer of a limit that is reached.

    A row is (phase, id, ..., whether a project of these jobs has a limit). The counters of a phase are exact under the
    lock of its job. Those of other jobs of a project are exact under the lock of its limit.
    """
    phases = {pk: change.phase(pk) for pk in {row[0] for row in rows}}
    ordered = sorted(rows, key=lambda row: (-phases[row[0]].priority, row[0], row[1]))
    limits = _lock(change) if rows and rows[0][-1] else {}
    of_phase = {pk: phase.room for pk, phase in phases.items()}
    of_project = {name: most.max_leased - leased for name, (most, leased) in limits.items()}
    allowed: list[Row] = []
    held: Claimed | None = None
    for row in ordered:
        phase = phases[row[0]]
        project, room = phase.job.project, of_phase[phase.pk]
        if len(allowed) == limit:
            break
        if project in of_project and of_project[project] <= 0:
            held = _of_project(*limits[project])
        elif room is not None and room <= 0:
            held = _of_phase(phase)
        else:
            allowed.append(row)
            of_phase[phase.pk] = None if room is None else room - 1
            if project in of_project:
                of_project[project] -= 1
    return allowed, held


def with_existence(phases: PhaseQuerySet) -> PhaseQuerySet:
    """Add to the phases whether any project has a limit, without a statement of its own."""
    return phases.annotate(limits_exist=Exists(ProjectLimit.objects.all()))


def exist(phases: Sequence[Phase]) -> bool:
    """Return whether any project has a limit, as `with_existence` has read it."""
    return any(phase.limits_exist for phase in phases)  # type: ignore[attr-defined]


def full_projects() -> set[str]:
    """Return the projects of which no more items may be leased.

    As a condition of the phases this would make the planner of PostgreSQL read all jobs.
    """
    return set(ProjectLimit.objects.reached().values_list("project", flat=True))


def held_back(pending: PhaseQuerySet) -> Claimed | None:
    """Return the answer where a limit holds back the pending items of one of these phases; None where none does."""
    full = ProjectLimit.objects.reached().values("project")
    held = pending.filter(Q(processing__gte=F("max_leased")) | Q(job__project__in=full))
    phase = held.select_related("job").most_urgent_first().first()
    if phase is None:
        return None
    limit = ProjectLimit.objects.reached().filter(project=phase.job.project).first() if phase.room != 0 else None
    return _of_project(limit, limit.leased) if limit else _of_phase(phase)  # type: ignore[attr-defined]


def _lock(change: Change) -> dict[str, tuple[ProjectLimit, int]]:
    """Lock the limits of the projects of these jobs; return each with the number of leased items, by project.

    The lock comes first: a claim that held it has committed when the counters are read. All limits are locked
    in one order, after the jobs.
    """
    locked = ProjectLimit.objects.select_for_update(no_key=True).filter(project__in=_projects(change)).order_by("pk")
    limits = {limit.project: limit for limit in locked}
    phases = Phase.objects.filter(job__project__in=limits, job__status__in=UNFINISHED_JOB)
    sums = phases.exclude(job__in=change.jobs).order_by().values_list("job__project").annotate(leased=Sum("processing"))
    leased: dict[str, int] = dict(sums)
    for job in change.jobs.values():
        own = sum(phase.processing for phase in change.phases[job.pk])
        leased[job.project] = leased.get(job.project, 0) + own
    return {name: (limit, leased.get(name, 0)) for name, limit in limits.items()}


def _projects(change: Change) -> list[str]:
    return sorted({job.project for job in change.jobs.values()})


def _of_phase(phase: Phase) -> Claimed:
    most = pluralize(phase.max_leased or 0, "item")
    detail = (
        f"Phase {phase.code} of job {phase.job.name} has {format_number(phase.processing)} of at most {most} leased."
    )
    return Claimed([], Reason.LIMIT, detail=detail, limit_of="phase")


def _of_project(limit: ProjectLimit, leased: int) -> Claimed:
    subject = f"Project {limit.project}" if limit.project else "Jobs without a project"
    has = "has" if limit.project else "have"
    detail = f"{subject} {has} {format_number(leased)} of at most {pluralize(limit.max_leased, 'item')} leased."
    return Claimed([], Reason.LIMIT, detail=detail, limit_of="project")
