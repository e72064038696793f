"""Estimates of the effect of an act on each of many jobs, in a constant number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils import timezone

from jobs.models import Job, Phase
from jobs.models.phases import phases_of
from jobs.operations.arguments import Scope
from jobs.operations.base import Operation
from jobs.operations.registry import refusal
from jobs.operations.snapshot import JobSnapshot

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models.items import ItemQuerySet

Items = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ActEstimate:
    """The number of changes that an act would make in one job, counted as the act counts.

    `why_not` is empty where the act is possible; its sentence is the same for every job that it applies to.
    """

    snapshot: JobSnapshot
    changes: int
    why_not: str

    @property
    def job(self) -> Job:
        """The job."""
        return self.snapshot.job


@dataclass
class EstimateQuery:
    """Many jobs, the scope within each, and the selected items by job (None: all)."""

    scope: Scope
    snapshots: list[JobSnapshot]
    items: Items | None

    def counted(self, rows: ItemQuerySet) -> Counter[int]:
        """Count these items by phase; only the selected ones, where items are selected."""
        counted = rows.filter(phase__job__in=[each.job.pk for each in self.snapshots])
        if self.items is not None:
            counted = counted.with_ids(pk for ids in self.items.values() for pk in ids)
        return Counter(dict(counted.order_by().values_list("phase").annotate(number=Count("pk"))))

    def by_job(self, counts: Counter[int], phases: Callable[[JobSnapshot], list[Phase]]) -> list[int]:
        """Sum these counts over the phases that take part, for each job."""
        code = self.scope.phase
        return [sum(counts[p.pk] for p in phases(each) if code in ("", p.code)) for each in self.snapshots]


def estimates(
    act: Operation, jobs: Sequence[Job], user: User | AnonymousUser, scope: Scope, items: Items | None = None
) -> list[ActEstimate]:
    """Estimate an act on each of these jobs, in their order; on `items` of them where items are selected."""
    snapshots = snapshots_of(jobs)
    counts = act.estimate(EstimateQuery(scope, snapshots, items))
    estimated = []
    for snapshot, changes in zip(snapshots, counts, strict=True):
        why_not = _why_not(act, snapshot, user, scope, changes)
        estimated.append(ActEstimate(snapshot, 0 if why_not else changes, why_not))
    return estimated


def snapshots_of(jobs: Sequence[Job]) -> list[JobSnapshot]:
    """Return a snapshot of each job, with one query for all their phases."""
    phases = phases_of(jobs)
    now = timezone.now()
    return [JobSnapshot(job, phases[job.pk], now) for job in jobs]


def _why_not(act: Operation, snapshot: JobSnapshot, user: User | AnonymousUser, scope: Scope, changes: int) -> str:
    refused = refusal(act, snapshot.job, user).replace(f"Job {snapshot.job.name} ", "The job ", 1)
    if refused or changes:
        return refused
    if scope.phase and scope.phase not in [phase.code for phase in snapshot.phases]:
        return f"The job has no phase {scope.phase}."
    return act.nothing or f"{act.label} would change nothing."
