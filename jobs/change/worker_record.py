"""Data of a worker that a change saves."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from jobs.models import Job, Phase


@dataclass(frozen=True, slots=True)
class Settled:
    """Numbers of items that a worker settled; `failed_last` of the failures came after the last success."""

    done: int = 0
    failed: int = 0
    failed_last: int = 0

    def then(self, later: Settled) -> Settled:
        """Return the sum with later results."""
        failed_last = later.failed_last + (0 if later.done else self.failed_last)
        return Settled(self.done + later.done, self.failed + later.failed, failed_last)


NOTHING = Settled()


@dataclass(slots=True)
class WorkerRecord:
    """The data of one worker that a change saves: as in its row, and the items that it settled in each phase."""

    account: int | None = None
    job: int = 0
    project: str | None = None
    message: str = ""
    version: str = ""
    progress: int | None = None
    succeeded: bool = False
    failed_in_a_row: int = 0
    settled: dict[int, Settled] = field(default_factory=lambda: defaultdict(Settled))

    def move_to(self, job: Job) -> None:
        """Set the last job; in another project, the record is reset."""
        if self.project not in (None, job.project):
            self.message, self.version, self.progress, self.succeeded, self.failed_in_a_row = "", "", None, True, 0
        self.job, self.project = job.pk, job.project

    def add(self, phase: Phase, settled: Settled) -> None:
        """Add the items that the worker settled in a phase."""
        self.settled[phase.pk] = self.settled[phase.pk].then(settled)
        self.failed_in_a_row = settled.failed_last + (0 if settled.done else self.failed_in_a_row)
        self.succeeded = self.succeeded or settled.done > 0
