"""What a diagnosis looks at: the figures of a job, the workers that were heard on it, and who paused it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Q, Sum

from jobs.models import Event, Phase, Tally, Worker
from jobs.models.workers import ALIVE, MANY_FAILURES
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_duration

WORKERS_NAMED = 3
FAILING_FOR = timedelta(minutes=10)


@dataclass
class Evidence:
    """The figures of a job and, where a cause asks for it, what else is known. A constant number of queries."""

    figures: JobSnapshot

    @cached_property
    def holder_names(self) -> list[str]:
        """The workers that hold items, at most a handful."""
        f = self.figures
        return f.holders if f.live + f.free else []

    @cached_property
    def silent_workers(self) -> list[Worker]:
        """Those that hold items or were heard on this job last, and have not been heard for two heartbeats."""
        f = self.figures
        workers = Worker.objects.filter(seen_at__lt=f.now - ALIVE).order_by("-seen_at")
        return list(workers.filter(Q(job=f.job) | Q(name__in=self.holder_names))[:WORKERS_NAMED])

    @cached_property
    def failing_workers(self) -> list[Worker]:
        """Those that were heard on this job last and only fail."""
        failing = Worker.objects.only_failing(self.figures.now).filter(job=self.figures.job)
        return list(failing.order_by("-failed_in_a_row")[:WORKERS_NAMED])

    @cached_property
    def others_succeed(self) -> bool:
        """Does any worker that was heard on this job last succeed?"""
        return Worker.objects.succeeding(self.figures.now).filter(job=self.figures.job).exists()

    @cached_property
    def failing_now(self) -> dict[int, int]:
        """How many items failed within ten minutes in each open phase in which none succeeded meanwhile."""
        return failing_now(self.figures.phases, now=self.figures.now)

    @property
    def is_heard(self) -> bool:
        """Was a report or a heartbeat received within two heartbeats?"""
        heard_at = self.figures.job.heartbeat_at
        return heard_at is not None and self.figures.now - heard_at <= ALIVE

    @property
    def heard(self) -> str:
        """How long ago the last report or heartbeat was received."""
        return format_duration((self.figures.now - self.figures.job.last_sign_of_life()).total_seconds())

    @cached_property
    def held_by_operator(self) -> Event | None:
        """The act that paused or cancelled the job, newest first."""
        acts = ("operator.pause", "operator.cancel")
        return Event.objects.filter(job=self.figures.job, type__in=acts).order_by("-pk").first()

    def before(self, phase: Phase) -> list[Phase]:
        """The earlier phases for which this one waits."""
        return [other for other in self.figures.unfinished if other.position < phase.position]

    def is_only(self, phase: Phase) -> bool:
        """Is it the only phase of its job?"""
        return len(self.figures.phases) == 1

    def sentence(self, phase: Phase, said: str) -> str:
        """What is said of a phase as a sentence; the only phase of a job is not named."""
        if len(self.figures.phases) > 1:
            return f"{phase.label}: {said}."
        return f"{said[0].upper()}{said[1:]}."


def failing_now(phases: Iterable[Phase], *, now: datetime) -> dict[int, int]:
    """How many items failed within ten minutes, by phase, where they are many and none succeeded; in one query."""
    failing = [phase.pk for phase in phases if phase.is_open and phase.failed >= MANY_FAILURES]
    if not failing:
        return {}
    tallies = Tally.objects.filter(phase__in=failing, minute__gt=now - FAILING_FOR).order_by().values_list("phase")
    sums = tallies.annotate(done=Sum("done"), failed=Sum("failed"))
    return {phase_id: failed for phase_id, done, failed in sums if not done and failed >= MANY_FAILURES}
