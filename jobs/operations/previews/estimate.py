"""What an act would do to each of many jobs, in a constant number of queries: the figures without the sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils import timezone

from jobs.models import Item, Job, Phase
from jobs.models.phases import phases_of
from jobs.operations.previews.acts import ActSpec, Scope, refusal
from jobs.operations.previews.confirmation_text import redone
from jobs.operations.previews.snapshot import JobSnapshot
from jobs.rules.statuses import ItemStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models.items import ItemQuerySet

Items = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ActEstimate:
    """What an act would change in one job, counted as the verb counts; `why_not` is empty where it is possible, and
    the same sentence for every job of which it is true."""

    figures: JobSnapshot
    changes: int
    why_not: str

    @property
    def job(self) -> Job:
        """The job."""
        return self.figures.job


@dataclass
class _Asked:
    """Many jobs, the scope within each, and their items counted by phase once they are needed."""

    scope: Scope
    figures: list[JobSnapshot]
    items: Items | None

    def counted(self, rows: ItemQuerySet) -> Counter[int]:
        """How many of these items each phase has, of the chosen ones."""
        found = rows.filter(phase__job__in=[f.job.pk for f in self.figures])
        if self.items is not None:
            found = found.with_ids(pk for ids in self.items.values() for pk in ids)
        return _by_phase(found)

    def by_job(self, counts: Counter[int], phases: Callable[[JobSnapshot], list[Phase]]) -> list[int]:
        """These counts over the phases that take part, for each job."""
        return [sum(counts[p.pk] for p in phases(f) if self.scope.phase in ("", p.code)) for f in self.figures]


def _by_phase(rows: ItemQuerySet) -> Counter[int]:
    return Counter(dict(rows.order_by().values_list("phase").annotate(number=Count("pk"))))


def estimates(
    act: ActSpec, jobs: Sequence[Job], user: User | AnonymousUser, scope: Scope, items: Items | None = None
) -> list[ActEstimate]:
    """What this act would do to each of these jobs, in their order; to `items` of them where such were chosen."""
    figures = snapshots_of(jobs)
    counts = _CHANGES[act.slug](_Asked(scope, figures, items))
    reasons = [_why_not(act, f, user, scope, changes) for f, changes in zip(figures, counts, strict=True)]
    found = zip(figures, counts, reasons, strict=True)
    return [ActEstimate(f, 0 if why_not else changes, why_not) for f, changes, why_not in found]


def snapshots_of(jobs: Sequence[Job]) -> list[JobSnapshot]:
    """The figures of these jobs, with one query for all their phases."""
    phases = phases_of(jobs)
    now = timezone.now()
    return [JobSnapshot(job, phases[job.pk], now) for job in jobs]


def _why_not(act: ActSpec, f: JobSnapshot, user: User | AnonymousUser, scope: Scope, changes: int) -> str:
    refused = refusal(act, f.job, user).replace(f"Job {f.job.name} ", "The job ", 1)
    if refused or changes:
        return refused
    if scope.phase and scope.phase not in [phase.code for phase in f.phases]:
        return f"The job has no phase {scope.phase}."
    return NOTHING[act.slug]


NOTHING = {
    "retry": "There is no failed item to retry.",
    "release": "Nobody holds an item without a live lease.",
    "skip": "None of these items can be skipped.",
    "force-complete": "Every chosen phase is completed.",
    "threshold": "Every phase is completed or cancelled; a threshold can change before that.",
    "restart": "Nothing has begun yet.",
}


def _retry(asked: _Asked) -> list[int]:
    if asked.items is None and not asked.scope.signature:
        return [sum(p.failed for p in f.takers if asked.scope.phase in ("", p.code)) for f in asked.figures]
    failed = Item.objects.failed()
    alike = failed.alike(asked.scope.signature) if asked.scope.signature else failed
    return asked.by_job(asked.counted(alike), lambda f: f.takers)


def _release(asked: _Asked) -> list[int]:
    held = Item.objects.held()
    free = held if asked.scope.all else held.without_live_lease(timezone.now())
    return asked.by_job(asked.counted(free), lambda f: f.phases)


def _skip(asked: _Asked) -> list[int]:
    if asked.items is None:
        return [0] * len(asked.figures)
    waiting = Item.objects.filter(status__in=(ItemStatus.PENDING, ItemStatus.FAILED))
    free = Item.objects.without_live_lease(timezone.now())
    return asked.by_job(asked.counted(waiting) + asked.counted(free), lambda f: f.takers)


def _force(asked: _Asked) -> list[int]:
    return [sum(not p.is_completed for p in f.chosen(asked.scope.phase)) for f in asked.figures]


def _threshold(asked: _Asked) -> list[int]:
    return [int(any(asked.scope.phase in ("", p.code) for p in f.judged)) for f in asked.figures]


def _restart(asked: _Asked) -> list[int]:
    return [redone(f, asked.scope) if f.begun else 0 for f in asked.figures]


def _whole(asked: _Asked) -> list[int]:
    return [1] * len(asked.figures)


_CHANGES: dict[str, Callable[[_Asked], list[int]]] = {
    "retry": _retry,
    "release": _release,
    "skip": _skip,
    "pause": _whole,
    "resume": _whole,
    "threshold": _threshold,
    "restart": _restart,
    "force-complete": _force,
    "fail": _whole,
    "cancel": _whole,
}
