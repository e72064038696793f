"""Calls of workers as values, so that many of them, across verbs and jobs, can share one transaction.

`jobs.tracking.apply_calls` makes them. A call is refused before it changes anything, so that a refused one leaves its
neighbours alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from jobs.access import Access
from jobs.change import Actor, Change
from jobs.models import Job, Phase
from jobs.rules.errors import NotFound
from jobs.tracking.announce import announce_locked
from jobs.tracking.claim import Taker, claim_any, claim_any_locked, jobs_to_claim, nothing_to_claim
from jobs.tracking.count import count_locked
from jobs.tracking.heartbeat import SignOfLife
from jobs.tracking.types import Announced, Beat, Claimed, Counted, Reported, Result

Answer = Announced | Beat | Claimed | Counted | Reported | BaseException


class Undecided(Exception):
    """The call needs a transaction of its own, such as one that waits for a lock."""


@dataclass(slots=True, eq=False)
class Call:
    """A call of a worker: by an actor, on a job that must be visible to the account."""

    by: Actor
    access: Access
    job_id: int

    def job_ids(self) -> set[int]:
        """Return the jobs that must be locked."""
        return {self.job_id}

    @property
    def size(self) -> int:
        """The number of results, by which transactions are limited."""
        return 1

    def job(self, change: Change) -> Job:
        """Return the locked job; NotFound where it is missing or not visible to the account."""
        job = change.jobs.get(self.job_id)
        if job is None or not self.access.sees(job.project):
            raise NotFound(f"There is no job {self.job_id}.")
        return job

    def apply(self, change: Change) -> Answer:
        """Make the call inside a change that has locked its job."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class PhaseCall(Call):
    """A call to a phase, which is named by its code."""

    code: str

    def phase(self, change: Change) -> Phase:
        """Return the phase of the locked job."""
        for phase in change.phases[self.job(change).pk]:
            if phase.code == self.code:
                return phase
        raise NotFound(f"Job {self.job_id} has no phase {self.code!r}.")


@dataclass(slots=True, eq=False)
class ReportCall(PhaseCall):
    """A report of outcomes."""

    worker: str
    results: Sequence[Result]

    @property
    def size(self) -> int:
        """The number of results."""
        return len(self.results)


@dataclass(slots=True, eq=False)
class ClaimCall(PhaseCall):
    """A claim of items of one phase."""

    worker: str
    limit: int
    lease_seconds: int | None

    @property
    def taker(self) -> Taker:
        """The worker that claims."""
        return Taker(self.worker, self.limit, self.lease_seconds, self.by)


@dataclass(slots=True, eq=False)
class ClaimAnyCall(Call):
    """A claim of the oldest items of any job; `job_id` is 0."""

    worker: str
    phase: str
    kind: str
    limit: int
    lease_seconds: int | None
    wanted: set[int] = field(default_factory=set)

    def choose(self) -> bool:
        """Choose the jobs of the oldest pending items; False where there are none."""
        self.wanted = jobs_to_claim(
            self.phase,
            kind=self.kind,
            projects=self.access.projects,
            worker=self.worker,
            limit=self.limit,
            by=self.by,
        )
        return bool(self.wanted)

    def nothing(self) -> Claimed:
        """Return the answer where there are no such jobs."""
        return nothing_to_claim(
            self.phase, kind=self.kind, projects=self.access.projects, worker=self.worker, by=self.by
        )

    def job_ids(self) -> set[int]:
        """Return the chosen jobs."""
        return self.wanted

    def wait(self) -> Claimed:
        """Take items in a transaction of its own, also of jobs that it has to wait for."""
        return claim_any(
            worker=self.worker,
            phase=self.phase,
            kind=self.kind,
            limit=self.limit,
            lease_seconds=self.lease_seconds,
            by=self.by,
        )

    def apply(self, change: Change) -> Claimed:
        """Take items of the locked jobs.

        Undecided where other workers were faster or have the jobs locked, and where a worker is quarantined.
        """
        found = [
            _entered(change, phase, self.by)
            for job_id in sorted(self.wanted & change.jobs.keys())
            for phase in change.phases[job_id]
            if phase.code == self.phase
        ]
        if any(phase.quarantined for phase in found):
            raise Undecided
        claimed = claim_any_locked(change, found, Taker(self.worker, self.limit, self.lease_seconds, self.by))
        if not claimed.items:
            raise Undecided
        return claimed


@dataclass(slots=True, eq=False)
class HeartbeatCall(Call):
    """A heartbeat."""

    worker: str
    items: Sequence[int] | None
    message: str
    progress: int | None

    def sign(self, change: Change) -> SignOfLife:
        """Return the heartbeat for the locked job."""
        return SignOfLife(self.job(change), self.worker, self.items, self.message, self.progress, self.by)


@dataclass(slots=True, eq=False)
class CountCall(PhaseCall):
    """Numbers of settled items of a phase without items."""

    done: int
    failed: int
    skipped: int
    event_id: UUID

    def apply(self, change: Change) -> Counted:
        """Add the numbers."""
        phase = _entered(change, self.phase(change), self.by)
        numbers = {"done": self.done, "failed": self.failed, "skipped": self.skipped}
        return count_locked(change, phase, **numbers, event_id=self.event_id)


@dataclass(slots=True, eq=False)
class AnnounceCall(PhaseCall):
    """A total of a phase."""

    expected: int
    event_id: UUID | None

    def apply(self, change: Change) -> Announced:
        """Set the total."""
        phase = _entered(change, self.phase(change), self.by)
        return announce_locked(change, phase, expected=self.expected, event_id=self.event_id)


def _entered(change: Change, phase: Phase, by: Actor) -> Phase:
    change.act_as(phase.job, by)
    return phase
