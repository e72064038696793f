"""A job as a table row: its JSON body and the totals of its phases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.models import Job
from jobs.rules import progress
from jobs.serializers import JobBody, PhaseBody, job_bodies


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in a list.

    `mark` is the percent at which the job completes. `expected` is None while the total of any phase is unknown.
    """

    body: JobBody
    mark: int | None
    done: int
    skipped: int
    failed: int
    expected: int | None

    @property
    def open(self) -> int | None:
        """Number of items without an outcome; None while any total is unknown."""
        return None if self.expected is None else max(0, self.expected - self.done - self.skipped - self.failed)


def rows_of(jobs: Iterable[Job], *, now: datetime) -> dict[int, JobRow]:
    """Return the row of each job by its id, in a constant number of queries."""
    unique = {job.pk: job for job in jobs}
    return {body["id"]: row_of(body) for body in job_bodies(list(unique.values()), now=now)}


def row_of(body: JobBody) -> JobRow:
    """Return the row of one job body."""
    phases = body["phases"]
    totals = [phase["expected"] for phase in phases if phase["expected"] is not None]
    return JobRow(
        body=body,
        mark=_mark(phases),
        done=sum(phase["done"] for phase in phases),
        skipped=sum(phase["skipped"] for phase in phases),
        failed=sum(phase["failed"] for phase in phases),
        expected=sum(totals) if totals and len(totals) == len(phases) else None,
    )


def share_of(phases: Sequence[PhaseBody]) -> progress.Share:
    """Return what is reached of a job with these phases."""
    return progress.job_share([(counts_of(phase), phase["weight"], phase["status"] == "completed") for phase in phases])


def counts_of(phase: PhaseBody) -> progress.Counts:
    """Return the counters of a phase body."""
    return progress.Counts(phase["expected"], phase["done"], phase["failed"], phase["skipped"], phase["processing"])


def _mark(phases: Sequence[PhaseBody]) -> int | None:
    """Return the job's percent when each open phase has just reached its threshold; None without phases.

    Completed phases count what they have reached, but in a completed job the thresholds that they had.
    """
    weights = [phase["weight"] for phase in phases]
    if not any(weights):
        weights = [1] * len(weights)
    over = all(phase["status"] == "completed" for phase in phases)
    marks = [phase["threshold"] if over else _mark_of(phase) for phase in phases]
    return sum(w * m for w, m in zip(weights, marks, strict=True)) // sum(weights) if weights else None


def _mark_of(phase: PhaseBody) -> int:
    if phase["status"] != "completed":
        return phase["threshold"]
    return 100 if phase["percent"] is None else phase["percent"]
