"""The evidence of a diagnosis: the snapshot of a job, its workers, and the operator who paused it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Exists, Q, Sum

from jobs.models import Event, Phase, ProjectLimit, Quarantine, Tally, Worker
from jobs.models.workers import ALIVE, MANY_FAILURES, held_items
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_duration

WORKERS_NAMED = 3
FAILING_FOR = timedelta(minutes=10)


@dataclass
class Evidence:
    """The snapshot of a job, and further facts that are read when a cause needs them; a constant number of queries."""

    snapshot: JobSnapshot

    @cached_property
    def holder_names(self) -> list[str]:
        """The first few workers that hold items."""
        return self.snapshot.holders if self.snapshot.live + self.snapshot.free else []

    @cached_property
    def silent_workers(self) -> list[Worker]:
        """Workers that hold items or worked on this job last, and have missed two heartbeats."""
        workers = Worker.objects.filter(seen_at__lt=self.snapshot.now - ALIVE).order_by("-seen_at")
        held = held_items().filter(phase__in=[phase.pk for phase in self.snapshot.phases])
        holding = Q(Exists(held), name__in=self.holder_names)
        return list(workers.filter(Q(job=self.snapshot.job) | holding)[:WORKERS_NAMED])

    @cached_property
    def failing_workers(self) -> list[Worker]:
        """Workers that worked on this job last and only fail."""
        failing = Worker.objects.only_failing(self.snapshot.now).filter(job=self.snapshot.job)
        return list(failing.order_by("-failed_in_a_row")[:WORKERS_NAMED])

    @cached_property
    def others_succeed(self) -> bool:
        """True where a worker of this job succeeds."""
        return Worker.objects.succeeding(self.snapshot.now).filter(job=self.snapshot.job).exists()

    @cached_property
    def quarantines(self) -> list[Quarantine]:
        """The first few quarantines of unfinished phases."""
        phases = {phase.pk: phase for phase in self.snapshot.unfinished if phase.quarantined}
        found = list(Quarantine.objects.filter(phase__in=phases).order_by("pk")[:WORKERS_NAMED]) if phases else []
        for row in found:
            row.phase = phases[row.phase_id]
        return found

    @cached_property
    def failing_now(self) -> dict[int, int]:
        """The number of items that failed within ten minutes in each open phase in which none succeeded."""
        return failing_now(self.snapshot.phases, now=self.snapshot.now)

    @property
    def is_active(self) -> bool:
        """True where a report or a heartbeat was received within two heartbeats."""
        heard_at = self.snapshot.job.heartbeat_at
        return heard_at is not None and self.snapshot.now - heard_at <= ALIVE

    @property
    def silent_for(self) -> str:
        """The time since the last report or heartbeat."""
        return format_duration((self.snapshot.now - self.snapshot.job.last_sign_of_life()).total_seconds())

    @cached_property
    def project_limit(self) -> ProjectLimit | None:
        """The limit of the job's project, if no more items of it may be leased."""
        return ProjectLimit.objects.reached().filter(project=self.snapshot.job.project).first()

    @cached_property
    def held_by_operator(self) -> Event | None:
        """The latest act that paused or cancelled the job."""
        acts = ("operator.pause", "operator.cancel")
        return Event.objects.filter(job=self.snapshot.job, type__in=acts).order_by("-pk").first()

    def before(self, phase: Phase) -> list[Phase]:
        """Return the unfinished earlier phases that a gated one waits for."""
        return [other for other in self.snapshot.unfinished if other.position < phase.position]

    def is_only(self, phase: Phase) -> bool:
        """Return whether this is the only phase of its job."""
        return len(self.snapshot.phases) == 1

    def sentence(self, phase: Phase, text: str) -> str:
        """Make a sentence about a phase; the only phase of a job is not named."""
        if self.is_only(phase):
            return f"{text[0].upper()}{text[1:]}."
        return f"{phase.label}: {text}."


def failing_now(phases: Iterable[Phase], *, now: datetime) -> dict[int, int]:
    """Count by phase the items that failed within ten minutes, where many failed and none succeeded; in one query."""
    failing = [phase.pk for phase in phases if phase.is_open and phase.failed >= MANY_FAILURES]
    if not failing:
        return {}
    tallies = Tally.objects.filter(phase__in=failing, minute__gt=now - FAILING_FOR).order_by().values_list("phase")
    sums = tallies.annotate(done=Sum("done"), failed=Sum("failed"))
    return {phase_id: failed for phase_id, done, failed in sums if not done and failed >= MANY_FAILURES}
