"""A snapshot of one job: its phases, leases and holders, read once for all acts and pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Count, Q
from django.utils import timezone

from jobs.models import Item, Job, Phase
from jobs.models.items import ItemQuerySet
from jobs.models.phases import phases_of
from jobs.rules import progress
from jobs.rules.statuses import PhaseStatus

HOLDERS_NAMED = 5


@dataclass
class JobSnapshot:
    """A job with its phases in order, and the holders of its items at `now`."""

    job: Job
    phases: list[Phase]
    now: datetime

    @cached_property
    def leases(self) -> tuple[int, int, int]:
        """(items held under a live lease, items held without one, how many of those had one that expired)."""
        if not any(phase.processing for phase in self.phases):
            return 0, 0, 0
        live, over = Q(lease_expires_at__gte=self.now), Q(lease_expires_at__lt=self.now)
        counts = self._held().aggregate(live=Count("pk", filter=live), over=Count("pk", filter=over), held=Count("pk"))
        return counts["live"], counts["held"] - counts["live"], counts["over"]

    @property
    def live(self) -> int:
        """Items under a live lease."""
        return self.leases[0]

    @property
    def free(self) -> int:
        """Held items that a release gives back: without a live lease."""
        return self.leases[1]

    @property
    def expired(self) -> int:
        """Held items whose lease is over; the other ones of `free` never had one."""
        return self.leases[2]

    @cached_property
    def holders(self) -> list[str]:
        """The first few workers that hold items."""
        names = self._held().exclude(worker="").order_by("worker").values_list("worker", flat=True)
        return list(names.distinct()[:HOLDERS_NAMED])

    @property
    def failed(self) -> int:
        """Failed items that a retry takes: those of phases that are not closed for good."""
        return sum(phase.failed for phase in self.takers)

    @property
    def waiting(self) -> int:
        """Items that wait for an automatic retry, in the same phases."""
        return sum(phase.waiting for phase in self.takers)

    @property
    def takers(self) -> list[Phase]:
        """Phases whose items can be retried or skipped."""
        return [p for p in self.phases if not p.is_closed_for_good and not p.counted]

    @property
    def unfinished(self) -> list[Phase]:
        """Phases that have not completed."""
        return [phase for phase in self.phases if not phase.is_completed]

    @property
    def judged(self) -> list[Phase]:
        """Phases whose threshold can change."""
        done = (PhaseStatus.COMPLETED, PhaseStatus.CANCELLED)
        return [phase for phase in self.phases if phase.status not in done]

    @property
    def begun(self) -> list[Phase]:
        """Phases that have something to restart."""
        return [p for p in self.phases if p.status != PhaseStatus.PENDING or p.started_at or p.counts.settled]

    def chosen(self, code: str) -> list[Phase]:
        """Return the phase of this code, or all phases where no code is given."""
        return [phase for phase in self.phases if phase.code == code] if code else self.phases

    def claimable_items(self) -> int:
        """Count the pending items of open phases that can be claimed now."""
        phases = [phase for phase in self.unfinished if phase.gate_open and phase.is_open]
        return sum(max(0, phase.ready_items(self.now)) for phase in phases)

    def out_of_reach(self) -> list[Phase]:
        """Return the unfinished phases in which too many items have failed to meet the threshold."""
        return [p for p in self.unfinished if not progress.threshold_reachable(p.counts, p.threshold)]

    def _held(self) -> ItemQuerySet:
        return Item.objects.held().filter(phase__in=[phase.pk for phase in self.phases if phase.processing])


def snapshot_of(job: Job, *, phases: list[Phase] | None = None, now: datetime | None = None) -> JobSnapshot:
    """Return the snapshot of this job as it is stored now."""
    rows = phases_of([job])[job.pk] if phases is None else phases
    return JobSnapshot(job=job, phases=rows, now=now or timezone.now())


def leases_of(phases: Iterable[Phase], *, now: datetime) -> dict[int, tuple[int, int, int]]:
    """Return `JobSnapshot.leases` by job, in one query; only for jobs with held items."""
    holding = [phase.pk for phase in phases if phase.processing]
    if not holding:
        return {}
    live, over = Count("pk", filter=Q(lease_expires_at__gte=now)), Count("pk", filter=Q(lease_expires_at__lt=now))
    groups = Item.objects.held().filter(phase__in=holding).order_by().values_list("phase__job_id")
    found = groups.annotate(live=live, over=over, held=Count("pk"))
    return {job_id: (alive, held - alive, expired) for job_id, alive, expired, held in found}
