"""The one transaction in which jobs change.

    with change([job_id], by=actor) as c:      # locks the job's row, loads its phases
        ...                                    # a verb moves items and counters
                                               # on leaving: gates, judgement, status, rows, events

Every writer of a job holds its row, so that whoever comes last sees what all others did. What a
change costs in SQL does not depend on how many items or phases it moved. The order of locks is
jobs by id, then items, tallies, workers, and last the event counter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs import broadcast, progress, rows, timeline
from jobs.errors import NotFound
from jobs.models import Event, EventCounter, Job, Phase, Tally, Worker
from jobs.progress import Judgement
from jobs.statuses import SETTLED_ITEM, Held, ItemStatus, JobStatus, PhaseStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

PHASE_FIELDS = (
    "threshold run status gate_open listed counted announced forced expected items_total done failed skipped processing"
    " partial completed_by error current_item_id started_at completed_at deadline_at deadline_left last_item_at"
).split()
COUNTERS = {
    ItemStatus.COMPLETED: "done",
    ItemStatus.FAILED: "failed",
    ItemStatus.SKIPPED: "skipped",
    ItemStatus.PROCESSING: "processing",
}
JOB_FIELDS = (
    "held status partial stuck stuck_since stage percent settled_percent revision error error_item_id"
    " updated_at started_at finished_at heartbeat_at progress_at watched_from"
).split()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the account, and the name to write down (a worker's label, an operator's name)."""

    account: User | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """The name for the timeline; `system` where nobody is behind it."""
        return self.name or (self.account.get_username() if self.account else "system")


class LostRace(Exception):
    """A row was moved by somebody who did not hold the job's lock; nothing of this change is kept."""


@dataclass
class Change:
    """The locked jobs with their phases in order, and what is to be written about them."""

    by: Actor
    reason: str = ""
    now: datetime = field(default_factory=timezone.now)
    jobs: dict[int, Job] = field(default_factory=dict)
    phases: dict[int, list[Phase]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    tallies: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    errors_stale: set[int] = field(default_factory=set)
    workers: dict[str, tuple[int | None, int, str]] = field(default_factory=dict)
    _before: dict[Any, tuple[Any, ...]] = field(default_factory=dict)

    # --- loading -------------------------------------------------------------------------------

    def lock(self, job_ids: Iterable[int]) -> None:
        """Lock the rows of these jobs, in the order of their ids, and load their phases."""
        wanted = set(job_ids)
        jobs = list(Job.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))
        self.adopt(jobs, Phase.objects.filter(job_id__in=wanted).order_by("job_id", "position"))

    def adopt(self, jobs: Iterable[Job], phases: Iterable[Phase]) -> None:
        """Take rows that are locked already (or new, and so nobody else's) into this change."""
        for job in jobs:
            self.jobs[job.pk] = job
            self.phases.setdefault(job.pk, [])
            self._before[job.pk, "job"] = _values(job, JOB_FIELDS)
        for phase in phases:
            phase.job = self.jobs[phase.job_id]
            self.phases[phase.job_id].append(phase)
            self._before[phase.pk, "phase"] = _values(phase, PHASE_FIELDS)

    @property
    def job(self) -> Job:
        """The job of a change upon one job."""
        return next(iter(self.jobs.values()))

    def phase(self, phase_id: int) -> Phase:
        """A locked phase by its id."""
        for phases in self.phases.values():
            for phase in phases:
                if phase.pk == phase_id:
                    return phase
        raise NotFound("There is no such phase any more.")

    def phase_by_code(self, code: str) -> Phase:
        """A phase of the one job by its code."""
        for phase in self.phases[self.job.pk]:
            if phase.code == code:
                return phase
        raise NotFound(f"Job {self.job.name} has no phase {code}.")

    # --- what verbs do with it -------------------------------------------------------------------

    def record(self, job: Job, type: str, *, phase: Phase | None = None, detail: str = "", **data: Any) -> None:
        """Write a row of the timeline that is not promised to anybody."""
        self.emit(timeline.note(job, type, phase=phase, detail=detail, data=data))

    def emit(self, event: Event) -> None:
        """Write an event, made in `timeline`, with who, when and why."""
        event.at, event.account, event.actor, event.reason = self.now, self.by.account, self.by.label, self.reason
        self.events.append(event)

    def heard(self, job: Job) -> None:
        """A sign of life of a worker of this job."""
        job.heartbeat_at = self.now

    def begin(self, phase: Phase) -> None:
        """The first claim, report, count or start of a run."""
        if phase.started_at is None:
            phase.started_at = self.now
            self.record(phase.job, f"{phase.code}.started", phase=phase)
        if phase.status == PhaseStatus.PENDING:
            phase.status = PhaseStatus.PROCESSING

    def count(self, phase: Phase, *, was: str, now: str, number: int = 1) -> None:
        """Move the counters of a phase with `number` of its items, from one status to another."""
        for status, sign in ((was, -number), (now, number)):
            counter = COUNTERS.get(status)
            if counter:
                setattr(phase, counter, getattr(phase, counter) + sign)
        if now in SETTLED_ITEM:
            self.tally(phase, **{COUNTERS[now]: number})

    def tally(self, phase: Phase, *, done: int = 0, failed: int = 0, skipped: int = 0) -> None:
        """Note what was settled, for the rate; it is progress."""
        counts = self.tallies[phase.pk]
        for place, number in enumerate((done, failed, skipped)):
            counts[place] += number
        phase.job.progress_at = self.now

    def seen(self, worker: str, *, job: Job, message: str = "") -> None:
        """A worker was heard on this job, under the account of `by`."""
        if worker:
            self.workers[worker] = (self.by.account.pk if self.by.account else None, job.pk, message)

    def has_moved(self, phase: Phase) -> bool:
        """Was anything about this phase changed so far?"""
        return self._before[phase.pk, "phase"] != _values(phase, PHASE_FIELDS)

    def arm(self, phase: Phase) -> None:
        """Set the watermark: the deadline of an accepted announcement."""
        ttl = timedelta(seconds=phase.watermark_ttl)
        if phase.job.held == Held.PAUSED:
            phase.deadline_at, phase.deadline_left = None, ttl
        else:
            phase.deadline_at, phase.deadline_left = self.now + ttl, None

    def reopen(self, phase: Phase) -> None:
        """A failed phase goes on in the same run."""
        phase.status = PhaseStatus.PROCESSING if phase.started_at else PhaseStatus.PENDING
        phase.completed_at, phase.error = None, ""
        phase.job.watched_from = self.now

    def close(self, phase: Phase, judgement: Judgement, *, error: str = "") -> None:
        """Finish a phase: its one completed event of this run, or its failure."""
        phase.status = judgement.status
        phase.completed_by, phase.partial = judgement.completed_by or "", judgement.partial
        phase.completed_at, phase.deadline_at, phase.deadline_left = self.now, None, None
        if phase.is_completed:
            self.emit(timeline.completed(phase))
        elif phase.status == PhaseStatus.FAILED:
            phase.error = (error or timeline.shortfall(phase))[: phase._meta.get_field("error").max_length]
            self.errors_stale.add(phase.job_id)
            self.emit(timeline.failed(phase))

    # --- leaving -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Judge every phase, derive every job, and write what changed."""
        for job in self.jobs.values():
            self._judge(job)
        self._write_phases()
        self._write_tallies()
        self._write_workers()
        touched = self._write_jobs()
        self._write_events()
        if touched:
            transaction.on_commit(partial(broadcast.touch, touched), robust=True)

    def _judge(self, job: Job) -> None:
        phases = self.phases[job.pk]
        earlier_completed = True
        for phase in phases:
            self._open_gate(phase, earlier_completed=earlier_completed)
            if phase.is_open and phase.gate_open and job.held != Held.CANCELLED:
                due = phase.deadline_at is not None and phase.deadline_at <= self.now
                judgement = progress.judge(phase.state, deadline_passed=due)
                if judgement:
                    self.close(phase, judgement)
            earlier_completed = earlier_completed and phase.is_completed

    def _open_gate(self, phase: Phase, *, earlier_completed: bool) -> None:
        is_open = earlier_completed or not phase.gated
        if is_open and not phase.gate_open and phase.is_open:
            self.record(phase.job, f"{phase.code}.opened", phase=phase)
        phase.gate_open = is_open

    def _dirty(self, kind: str, candidates: Iterable[Any], names: Sequence[str]) -> list[Any]:
        return [row for row in candidates if self._before[row.pk, kind] != _values(row, names)]

    def _write_phases(self) -> None:
        every = [phase for phases in self.phases.values() for phase in phases]
        dirty = self._dirty("phase", every, PHASE_FIELDS)
        if not dirty:
            return
        run, status = PHASE_FIELDS.index("run"), PHASE_FIELDS.index("status")
        before = [self._before[phase.pk, "phase"] for phase in dirty]
        values = [
            (phase.pk, was[run], was[status], *_values(phase, PHASE_FIELDS))
            for phase, was in zip(dirty, before, strict=True)
        ]
        moved = rows.update(Phase, values, match=("id", "run", "status"), fields=PHASE_FIELDS)
        if len(moved) != len(dirty):
            raise LostRace("A phase was moved by somebody who did not hold the lock of its job.")
        self._touch_jobs(dirty)

    def _touch_jobs(self, phases: Iterable[Phase]) -> None:
        for phase in phases:
            phase.job.updated_at = self.now

    def _write_tallies(self) -> None:
        minute = self.now.replace(second=0, microsecond=0)
        values = [(phase_id, minute, *counts) for phase_id, counts in sorted(self.tallies.items())]
        if values:
            numbers = ("done", "failed", "skipped")
            rows.insert(
                Tally, values, fields=("phase", "minute", *numbers), conflict=("phase", "minute"), add=numbers
            )

    def _write_workers(self) -> None:
        fields = ("name", "account", "job", "message", "seen_at")
        for spoke in (False, True):
            values = [(name, *row, self.now) for name, row in sorted(self.workers.items()) if bool(row[2]) == spoke]
            if values:
                kept = {"message"} if not spoke else set()
                replace = [name for name in fields[1:] if name not in kept]
                rows.insert(Worker, values, fields=fields, conflict=("name",), replace=replace)

    def _write_jobs(self) -> list[int]:
        """Derive and write the jobs; the ids of those whose revision moved."""
        for job in self.jobs.values():
            self._derive(job)
        dirty = self._dirty("job", self.jobs.values(), JOB_FIELDS)
        heartbeat = JOB_FIELDS.index("heartbeat_at")
        touched = []
        for job in dirty:
            before, after = self._before[job.pk, "job"], _values(job, JOB_FIELDS)
            if before[:heartbeat] + before[heartbeat + 1 :] != after[:heartbeat] + after[heartbeat + 1 :]:
                job.revision, job.updated_at = job.revision + 1, self.now
                touched.append(job.pk)
        if dirty:
            rows.update(Job, [(job.pk, *_values(job, JOB_FIELDS)) for job in dirty], match=("id",), fields=JOB_FIELDS)
        return touched

    def _derive(self, job: Job) -> None:
        phases = self.phases[job.pk]
        states = [phase.state for phase in phases]
        was, job.status = job.status, progress.job_status(states, job.held)
        job.partial = any(phase.partial for phase in phases)
        job.percent = progress.job_percent(states)
        job.settled_percent = progress.job_settled_percent(states)
        job.stage = progress.job_stage(
            JobStatus(job.status), [(state, phase.stage) for state, phase in zip(states, phases, strict=True)]
        )
        if job.pk in self.errors_stale:
            job.error, job.error_item_id = timeline.latest_error(phases)
        if job.started_at is None and any(phase.started_at for phase in phases):
            job.started_at = self.now
        if job.stuck and stuck_reason(job, phases, now=self.now) != job.stuck:
            job.stuck, job.stuck_since = "", None
        if was != job.status:
            self._status_changed(job, was)

    def _status_changed(self, job: Job, was: str) -> None:
        job.finished_at = self.now if job.is_finished else None
        log.info("job.status", **job.log_fields(), was=was, status=str(job.status), actor=self.by.label)
        if job.is_finished:
            self.emit(timeline.job_finished(job, self.phases[job.pk], reason=self.reason or job.error))

    def _write_events(self) -> None:
        if self.events:
            for event, number in zip(self.events, rows.next_ids(EventCounter, len(self.events)), strict=True):
                event.pk = number
            Event.objects.bulk_create(self.events)


@contextmanager
def change(
    job_ids: Iterable[int], *, by: Actor, reason: str = "", now: datetime | None = None
) -> Iterator[Change]:
    """Lock these jobs, let a verb change them, settle; all or nothing. A missing job is NotFound.

    The clock is read after the lock was won, so that times never run against the order of changes.
    """
    wanted = set(job_ids)
    with transaction.atomic():
        c = Change(by=by, reason=reason)
        c.lock(wanted)
        c.now = now or timezone.now()
        if len(c.jobs) != len(wanted):
            raise NotFound("There is no such job any more.")
        yield c
        c.settle()


def stuck_reason(job: Job, phases: Sequence[Phase], *, now: datetime) -> str | None:
    """Why this job will not finish by itself, from its rows and the settings."""
    waiting = [
        phase.last_item_at + timedelta(seconds=phase.watermark_ttl)
        for phase in phases
        if phase.is_open and phase.expected is None and phase.last_item_at
    ]
    vitals = progress.Vitals(
        status=JobStatus(job.status),
        heard_at=job.last_sign_of_life(),
        progress_at=max(filter(None, (job.progress_at, job.started_at, job.watched_from))),
        unannounced_since=min(waiting, default=None),
    )
    return progress.stuck(
        vitals,
        now=now,
        silent_after=timedelta(seconds=settings.JOB_SILENT_AFTER),
        stalled_after=timedelta(seconds=settings.JOB_STALLED_AFTER),
    )


def _values(row: Job | Phase, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)
