"""A change: the locked jobs with their phases, and the methods that move them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone

from jobs.change import event_factory, phase_life
from jobs.change.attempt_history import EndedAttempt
from jobs.change.fields import COUNTERS, job_values, phase_values
from jobs.change.lock_waiters import waiters
from jobs.change.phase_life import Cause, Life
from jobs.change.worker_record import NOTHING, Settled, WorkerRecord
from jobs.db import bulk_load
from jobs.incidents import Move
from jobs.models import Event, Job, Phase
from jobs.models.texts import fit
from jobs.rules import pipelines, progress
from jobs.rules.errors import NotFound
from jobs.rules.growing_counts import ITEM_FAILURES, FailureOutcome
from jobs.rules.progress import Judgement
from jobs.rules.statuses import SETTLED_ITEM, CompletedBy, Held, ItemStatus

# Columns of an event whose texts may be made of many names, and so grow with the job.
COMPOSED = ("detail", "reason", "actor")

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of a change: an account, and a name for the timeline (a worker's label, an operator's name).

    `version` is that of a worker's program.
    """

    account: User | None = None
    name: str = ""
    version: str = ""

    @property
    def label(self) -> str:
        """The name for the timeline; `system` without a name and an account."""
        return self.name or (self.account.get_username() if self.account else "system")


@dataclass(slots=True)
class Postponed:
    """The rows that a surrounding `unit_of_work` writes at its end: events, moves between incidents, and counts."""

    events: list[Event] = field(default_factory=list)
    moves: list[tuple[list[Move], datetime]] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)


@dataclass
class Change:
    """The locked jobs with their phases in order, and everything that the commit saves.

    `by` acts on every job that has no actor of its own in `actors`. `finishers` are the actors who closed the last
    phase of a job. `postponed` takes what a surrounding `unit_of_work` saves later.
    """

    by: Actor
    reason: str = ""
    actors: dict[int, Actor] = field(default_factory=dict)
    finishers: dict[int, Actor] = field(default_factory=dict)
    now: datetime = field(default_factory=timezone.now)
    jobs: dict[int, Job] = field(default_factory=dict)
    phases: dict[int, list[Phase]] = field(default_factory=dict)
    by_id: dict[int, Phase] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    postponed: Postponed | None = None
    tallies: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    errors_stale: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    workers: dict[tuple[str, int], WorkerRecord] = field(default_factory=dict)
    attempts: list[EndedAttempt] = field(default_factory=list)
    job_before: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    phase_before: dict[int, tuple[Any, ...]] = field(default_factory=dict)

    # --- loading -------------------------------------------------------------------------------

    def lock(self, job_ids: Iterable[int], *, lock_timeout: str = "") -> None:
        """Lock the rows of these jobs, in the order of their ids, and load their phases.

        Waits for locked rows as long as the connection's lock timeout, or on PostgreSQL as `lock_timeout` says. Raises
        JobLocked where enough threads wait already. Nothing is locked meanwhile, so that two changes of several jobs
        never wait for each other.
        """
        wanted = set(job_ids)
        with transaction.atomic() if len(wanted) > 1 else nullcontext():
            jobs = self._free(wanted)
            missing = wanted - {job.pk for job in jobs}
            if missing and len(wanted) > 1:
                transaction.set_rollback(True)
        if missing:
            with waiters.waiting(min(missing)):
                jobs = self._rows(wanted, lock_timeout=lock_timeout)
        found = [job.pk for job in jobs]  # not those that are being deleted
        self.attach(jobs, _phases(found))

    def lock_free(self, job_ids: Iterable[int]) -> None:
        """Lock those of these jobs that no other transaction has locked, and load their phases. Never wait."""
        jobs = self._free(set(job_ids))
        found = [job.pk for job in jobs]
        self.attach(jobs, _phases(found))

    def _free(self, wanted: set[int]) -> list[Job]:
        return _locked_jobs(wanted, skip_locked=connection.features.has_select_for_update_skip_locked)

    def _rows(self, wanted: set[int], *, lock_timeout: str) -> list[Job]:
        if lock_timeout and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [lock_timeout])
        return _locked_jobs(wanted, skip_locked=False)

    def attach(self, jobs: Iterable[Job], phases: Iterable[Phase]) -> None:
        """Add rows to this change that are locked already, or new."""
        for job in jobs:
            self.jobs[job.pk] = job
            self.phases.setdefault(job.pk, [])
            self.job_before[job.pk] = job_values(job)
        for phase in phases:
            phase.job = self.jobs[phase.job_id]
            self.phases[phase.job_id].append(phase)
            self.by_id[phase.pk] = phase
            self.phase_before[phase.pk] = phase_values(phase)

    @property
    def job(self) -> Job:
        """The job of a change upon one job."""
        return next(iter(self.jobs.values()))

    def phase(self, phase_id: int) -> Phase:
        """Return a locked phase by its id."""
        phase = self.by_id.get(phase_id)
        if phase is None:
            raise NotFound("This phase no longer exists.")
        return phase

    def phase_by_code(self, code: str) -> Phase:
        """Return a phase of the one job by its code."""
        for phase in self.phases[self.job.pk]:
            if phase.code == code:
                return phase
        raise NotFound(f"Job {self.job.name} has no phase {code}.")

    # --- recording and counting ------------------------------------------------------------------

    def actor_of(self, job: Job) -> Actor:
        """Return the actor of a job at this moment."""
        return self.actors.get(job.pk, self.by)

    def act_as(self, job: Job, by: Actor) -> None:
        """Make `by` the actor of a job, after closing the phases that the previous actor has finished."""
        if self.actors.get(job.pk, by) != by:
            self.evaluate(job)
        self.actors[job.pk] = by

    def record(self, job: Job, name: str, *, phase: Phase | None = None, detail: str = "", **data: Any) -> None:
        """Add a row to the timeline that is not sent to subscribers."""
        self.emit(event_factory.note(job, name, phase=phase, detail=detail, data=data))

    def emit(self, event: Event) -> None:
        """Add an event of `event_factory` with its actor, time and reason."""
        by = self.actor_of(event.job)
        event.at, event.account, event.actor, event.reason = self.now, by.account, by.label, self.reason
        for column in COMPOSED:
            setattr(event, column, fit(Event, column, getattr(event, column)))
        self.events.append(event)

    def grow(self, name: str, kind: str, outcome: str, number: int = 1) -> None:
        """Add to a count that only grows, for the metrics."""
        self.counts[name, kind, outcome] += number

    def bump_revision(self, job: Job) -> None:
        """Raise the revision of a job: something that is shown with it has changed outside its rows."""
        self.touched.add(job.pk)

    def record_heartbeat(self, job: Job) -> None:
        """Record a sign of life of a worker of this job."""
        job.heartbeat_at = self.now

    def begin(self, phase: Phase) -> None:
        """Start a run: record its first claim, report, count or start."""
        if phase.started_at is None:
            self.record(phase.job, f"{phase.code}.started", phase=phase)
        self.apply_life_event(phase, Life.BEGIN)

    def count(self, phase: Phase, *, was: str, now: str, number: int = 1, tallied: bool = True) -> None:
        """Move the counters of a phase with `number` of its items, from one status to another.

        Settled items are progress and part of the rate, unless not `tallied`.
        """
        if was == ItemStatus.FAILED and phase.is_completed and phase.counts.processed < (phase.expected or 0):
            phase.amending = True
        for status, sign in ((was, -number), (now, number)):
            counter = COUNTERS.get(status)
            if counter:
                setattr(phase, counter, getattr(phase, counter) + sign)
        if now == ItemStatus.FAILED:
            self.grow(ITEM_FAILURES, phase.job.kind, FailureOutcome.FAILED, number)
        if tallied and now in SETTLED_ITEM:
            self.tally(phase, **{COUNTERS[now]: number})

    def wait(self, phase: Phase, number: int, *, until: datetime | None = None) -> None:
        """Change the number of items that wait for their retry; new ones are due at `until` at the earliest."""
        phase.waiting += number
        if until is not None:
            phase.next_due_at = min(until, phase.next_due_at or until)
        if not phase.waiting:
            phase.next_due_at = None

    def tally(self, phase: Phase, *, done: int = 0, failed: int = 0, skipped: int = 0) -> None:
        """Add settled items to the rate, and record the time of this progress."""
        counts = self.tallies[phase.pk]
        for place, number in enumerate((done, failed, skipped)):
            counts[place] += number
        phase.job.progress_at = self.now

    def record_worker(
        self,
        worker: str,
        *,
        job: Job,
        by: Actor | None = None,
        message: str = "",
        progress: int | None = None,
        phase: Phase | None = None,
        settled: Settled = NOTHING,
    ) -> None:
        """Record a sign of life of a worker on this job, and the items that it settled in a phase.

        Without `by` it belongs to the account of the job's actor.
        """
        if not worker:
            return
        by = by or self.actor_of(job)
        account = by.account.pk if by.account else None
        record = self.workers.setdefault((worker, account or 0), WorkerRecord(account))
        record.move_to(job)
        record.message, record.version = message or record.message, by.version or record.version
        record.progress = record.progress if progress is None else progress
        if phase is not None and (settled.done or settled.failed):
            record.add(phase, settled)

    def has_moved(self, phase: Phase) -> bool:
        """Return whether any column of this phase has changed so far."""
        return self.phase_before[phase.pk] != phase_values(phase)

    def apply_life_event(
        self,
        phase: Phase,
        event: Life,
        *,
        by: CompletedBy | None = None,
        error: str = "",
        total: int | None = None,
    ) -> None:
        """Set the columns of a phase that this event of its life changes."""
        phase_life.apply(phase, event, Cause(self.now, by=by, error=error, total=total))

    def reopen(self, phase: Phase, event: Life = Life.GO_ON) -> None:
        """Reopen a finished phase: in the same run, or with `Life.REOPEN` in a new one."""
        self.apply_life_event(phase, event)
        phase.job.watched_from = self.now
        self.errors_stale.add(phase.job_id)

    def complete(self, phase: Phase, *, by: CompletedBy, forced: bool = False) -> None:
        """Complete a phase, add its one completed event of this run, and call the hook of its pipeline."""
        if phase.error:
            self.errors_stale.add(phase.job_id)
        self.finishers[phase.job_id] = self.actor_of(phase.job)
        self.apply_life_event(phase, Life.FORCE if forced else Life.COMPLETE, by=by)
        self.emit(event_factory.completed(phase))
        completed = pipelines.get(phase.job.kind).completed
        if completed:
            completed(self, phase)

    def fail(self, phase: Phase, *, error: str = "") -> None:
        """Fail a phase; without an error the shortfall is the error."""
        self.finishers[phase.job_id] = self.actor_of(phase.job)
        self.apply_life_event(phase, Life.FAIL, error=error)
        self.errors_stale.add(phase.job_id)
        self.emit(event_factory.failed(phase))

    def close(self, phase: Phase, judgement: Judgement) -> None:
        """Complete or fail a phase as it was judged."""
        if judgement.completed_by is not None:
            self.complete(phase, by=judgement.completed_by)
        else:
            self.fail(phase)

    def evaluate(self, job: Job) -> None:
        """Close every phase that is over, until none is: a closed phase may open gates and announce other phases."""
        while self._close_phases(job):
            continue

    def _close_phases(self, job: Job) -> bool:
        closed = False
        phases = self.phases[job.pk]
        for phase, gate_open in zip(phases, progress.gates([phase.state for phase in phases]), strict=True):
            self._set_gate(phase, gate_open=gate_open)
            phase_life.run_clock(phase, paused=job.held == Held.PAUSED, now=self.now)
            if phase.is_open and phase.gate_open and job.held != Held.CANCELLED:
                due = phase.deadline_at is not None and phase.deadline_at <= self.now
                judgement = progress.judge(phase.state, deadline_passed=due)
                if judgement:
                    self.close(phase, judgement)
                    closed = True
        return closed

    def _set_gate(self, phase: Phase, *, gate_open: bool) -> None:
        if gate_open and not phase.gate_open and phase.is_open:
            self.record(phase.job, f"{phase.code}.opened", phase=phase)
        phase.gate_open = gate_open


def _locked_jobs(wanted: set[int], *, skip_locked: bool) -> list[Job]:
    """Lock and return these jobs, without those that are being deleted."""
    features = connection.features
    lock = connection.ops.for_update_sql(skip_locked=skip_locked, no_key=True) if features.has_select_for_update else ""
    return bulk_load.load(Job, wanted, null=("removed_at",), lock=lock)


def _phases(job_ids: Iterable[int]) -> list[Phase]:
    return bulk_load.load(Phase, job_ids, match="job", order=("job", "position"))
