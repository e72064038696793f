"""What a diagnosis looks at: the figures of a job, the workers that were heard on it, and who paused it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.db.models import Q

from jobs.models import Event, Phase, Worker
from jobs.previews import Figures

HEARTBEAT_SECONDS = 30  # how often a worker is heard, a third of the default lease
SILENT_AFTER = timedelta(seconds=2 * HEARTBEAT_SECONDS)
WORKERS_NAMED = 3


@dataclass
class Evidence:
    """The figures of a job and, where a cause asks for it, what else is known. A constant number of queries."""

    figures: Figures

    @cached_property
    def silent_workers(self) -> list[Worker]:
        """Those that hold items or were heard on this job last, and have not been heard for two heartbeats."""
        f = self.figures
        workers = Worker.objects.filter(seen_at__lt=f.now - SILENT_AFTER).order_by("-seen_at")
        return list(workers.filter(Q(job=f.job) | Q(name__in=f.holders if f.live + f.free else []))[:WORKERS_NAMED])

    @cached_property
    def held_by_operator(self) -> Event | None:
        """The act that paused or cancelled the job, newest first."""
        acts = ("operator.pause", "operator.cancel")
        return Event.objects.filter(job=self.figures.job, type__in=acts).order_by("-pk").first()

    def before(self, phase: Phase) -> list[Phase]:
        """The earlier phases for which this one waits."""
        return [other for other in self.figures.unfinished if other.position < phase.position]

    def sentence(self, phase: Phase, said: str) -> str:
        """What is said of a phase as a sentence; the only phase of a job is not named."""
        if len(self.figures.phases) > 1:
            return f"{phase.label}: {said}."
        return f"{said[0].upper()}{said[1:]}."
