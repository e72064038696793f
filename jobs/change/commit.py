"""The commit of a change: evaluate phases, derive job statuses, save, notify subscribers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from jobs.change import attempt_history, event_factory
from jobs.change.fields import (
    JOB_FIELDS,
    PHASE_FIELDS,
    SIGNS_OF_LIFE,
    ConcurrentModification,
    changed_columns,
    job_values,
    phase_values,
)
from jobs.change.incident_moves import moves_of
from jobs.change.job_change import Change
from jobs.db import bulk_sql, event_order
from jobs.incidents import write_moves
from jobs.live import broadcast
from jobs.models import Event, GrowingCount, Job, Phase, Tally, Worker, WorkerTally
from jobs.models.workers import slot_of
from jobs.outbox.routing import route
from jobs.rules import pace, progress
from jobs.rules.growing_counts import JOBS_FINISHED
from jobs.rules.statuses import JobStatus

log = structlog.get_logger(__name__)


def commit_changes(change: Change) -> None:
    """Evaluate every phase, derive every job, and save the changed rows."""
    for job in change.jobs.values():
        change.evaluate(job)
        change.actors[job.pk] = change.finishers.get(job.pk, change.actor_of(job))
        _amend(change, job)
    moved = _write_phases(change)
    attempt_history.write(change.attempts)
    for job in change.jobs.values():
        _derive(change, job)
    _write_tallies(change)
    _write_workers(change)
    touched = _write_jobs(change, moved | change.touched)
    moves = moves_of(change)
    if change.postponed is None:
        write_moves(moves, now=change.now)
        write_counts(change.counts)
        write_events(change.events)
    else:
        change.postponed.events.extend(change.events)
        change.postponed.moves.append((moves, change.now))
        change.postponed.counts.update(change.counts)
    if touched:
        transaction.on_commit(lambda: broadcast.touch(touched), robust=True)


def _amend(change: Change, job: Job) -> None:
    """Send the amended event of each phase that completed as partial and has become whole by retries.

    Only a phase that is not whole begins to amend, and successes never become fewer within a run: this happens once.
    """
    for phase in change.phases[job.pk]:
        if phase.amending and phase.partial and phase.is_completed and phase.counts.processed >= (phase.expected or 0):
            phase.amending = False
            change.emit(event_factory.amended(phase))


def _write_phases(change: Change) -> set[int]:
    """Save the changed phases, guarded by their run and status as loaded; return the ids of their jobs."""
    dirty = [phase for phases in change.phases.values() for phase in phases if change.has_moved(phase)]
    if not dirty:
        return set()
    before = [change.phase_before[phase.pk] for phase in dirty]
    fields, changed = changed_columns(PHASE_FIELDS, before, [phase_values(phase) for phase in dirty])
    values = [(phase.pk, *was[:2], *now) for phase, was, now in zip(dirty, before, changed, strict=True)]
    moved = bulk_sql.update(Phase, values, match=("id", "run", "status"), fields=fields)
    if len(moved) != len(dirty):
        raise ConcurrentModification("phase")
    return {phase.job_id for phase in dirty}


def _write_tallies(change: Change) -> None:
    minute = change.now.replace(second=0, microsecond=0)
    values = [(phase_id, minute, *counts) for phase_id, counts in sorted(change.tallies.items())]
    if values:
        numbers = ("done", "failed", "skipped")
        bulk_sql.insert(Tally, values, fields=("phase", "minute", *numbers), conflict=("phase", "minute"), add=numbers)


def _write_workers(change: Change) -> None:
    """Save the sign of life of each worker and its results of these five minutes.

    An empty message and no progress change nothing, except in another project.
    """
    workers = sorted(change.workers.items())
    key, said, streak = ("name", "owner"), ("message", "version", "progress"), ("failed_in_a_row",)
    known = ("account", "job", "project", "seen_at")
    for succeeded in (False, True):  # a success resets the count of failures in a row
        values = [
            (
                *of,
                *(each.message, each.version, each.progress),
                *(each.account, each.job, each.project, change.now),
                each.failed_in_a_row,
            )
            for of, each in workers
            if each.succeeded is succeeded
        ]
        bulk_sql.insert(
            Worker,
            values,
            fields=(*key, *said, *known, *streak),
            conflict=key,
            replace=[*known, *(streak if succeeded else ())],
            fill=said,
            add=() if succeeded else streak,
            within="project",
        )
    slot, slots, numbers = slot_of(change.now), ("worker", "owner", "slot", "phase"), ("done", "failed")
    settled = [
        (*of, slot, phase, each.done, each.failed, each.failed_last, change.now if each.done else None)
        for of, worker in workers
        for phase, each in sorted(worker.settled.items())
    ]
    bulk_sql.insert(
        WorkerTally,
        settled,
        fields=(*slots, *numbers, "failed_in_a_row", "succeeded_at"),
        conflict=slots,
        add=numbers,
        fill=("succeeded_at",),
        runs=("failed_in_a_row", "done"),
    )


def _write_jobs(change: Change, moved: set[int]) -> list[int]:
    """Save the changed jobs and return the ids of those whose revision grew: all but those with signs of life only."""
    written: list[Job] = []
    touched: list[int] = []
    for job in change.jobs.values():
        was, now = change.job_before[job.pk], job_values(job)
        if job.pk in moved or was[SIGNS_OF_LIFE:] != now[SIGNS_OF_LIFE:]:
            job.revision, job.updated_at = job.revision + 1, change.now
            touched.append(job.pk)
        elif was == now:
            continue
        written.append(job)
    before = [change.job_before[job.pk] for job in written]
    fields, changed = changed_columns(JOB_FIELDS, before, [job_values(job) for job in written])
    values = [(job.pk, *columns) for job, columns in zip(written, changed, strict=True)]
    bulk_sql.update(Job, values, match=("id",), fields=fields)
    return touched


def _derive(change: Change, job: Job) -> None:
    phases = change.phases[job.pk]
    states = [phase.state for phase in phases]
    was, job.status = job.status, progress.job_status(states, job.held)
    if job.status == JobStatus.COMPLETED:
        job.held = ""
    job.partial = any(phase.partial for phase in phases)
    job.reworking = sum(phase.reworked_items for phase in phases) if job.status == JobStatus.COMPLETED else 0
    job.percent = progress.job_percent(states)
    job.settled_percent = progress.job_settled_percent(states)
    job.stage = progress.job_stage(
        JobStatus(job.status), [(state, phase.stage) for state, phase in zip(states, phases, strict=True)]
    )
    if job.pk in change.errors_stale:
        job.error, job.error_item_id = event_factory.latest_error(phases)
    if job.started_at is None and any(phase.started_at for phase in phases):
        job.started_at = change.now
    _derive_times(job, phases)
    if job.stuck and stuck_reason(job, phases, now=change.now) != job.stuck:
        change.emit(event_factory.job_unstuck(job))
        job.stuck, job.stuck_since = "", None
    if job.late:
        _check_late(change, job)
    if was != job.status:
        _status_changed(change, job, was)


def _derive_times(job: Job, phases: Sequence[Phase]) -> None:
    """Derive the due time of a job that counts from its start, and the seconds that it may be quiet now."""
    if job.expected_seconds is not None:
        job.due_at = job.started_at + timedelta(seconds=job.expected_seconds) if job.started_at else None
    running = [phase for phase in phases if phase.is_open and phase.started_at is not None]
    job.silent_limit = pace.limit_of(
        [phase.silent_after for phase in running], own=job.silent_after, preset=settings.JOB_SILENT_AFTER
    )
    job.stalled_limit = pace.limit_of(
        [phase.stalled_after for phase in running], own=job.stalled_after, preset=settings.JOB_STALLED_AFTER
    )


def _check_late(change: Change, job: Job) -> None:
    """Clear the mark of a late job that has finished or has got time again.

    The event of the end closes the lateness of a finished job, so that none of its own is sent.
    """
    job.late = not job.is_finished and job.due_at is not None and job.due_at <= change.now
    if not job.late and not job.is_finished:
        change.emit(event_factory.job_on_time_again(job))


def _status_changed(change: Change, job: Job, was: str) -> None:
    job.finished_at = change.now if job.is_finished else None
    fields = {**job.log_fields(), "was": str(was), "status": str(job.status), "actor": change.actor_of(job).label}
    transaction.on_commit(lambda: log.info("job.status", **fields), robust=True)
    if job.is_finished:
        change.grow(JOBS_FINISHED, job.kind, str(job.status))
        change.emit(event_factory.job_finished(job, change.phases[job.pk], reason=change.reason or job.error))


def write_counts(counts: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the counts that only grow, by name, kind and outcome: a row each, which waits for no lock."""
    rows = [(*names, number) for names, number in counts.items()]
    bulk_sql.insert(GrowingCount, rows, fields=("name", "kind", "outcome", "number"))


def write_events(events: Sequence[Event]) -> None:
    """Save the events of a transaction with their deliveries. Call it last."""
    if events:
        ids = event_order.next_ids(len(events), outward=any(event.outward for event in events))
        for event, number in zip(events, ids, strict=True):
            event.pk = number
        Event.objects.bulk_create(events)
        route(events)


def stuck_reason(job: Job, phases: Sequence[Phase], *, now: datetime) -> str | None:
    """Return why this job will not finish by itself, from its rows and the settings; None where it will."""
    waiting = [
        phase.last_item_at + timedelta(seconds=phase.watermark_ttl)
        for phase in phases
        if phase.is_open and phase.expected is None and phase.last_item_at
    ]
    working = [phase for phase in phases if phase.is_open and phase.gate_open]
    only_waits = bool(working) and all(phase.only_waits for phase in working)
    due = min((phase.next_due_at for phase in working if phase.next_due_at), default=None) if only_waits else None
    vitals = pace.Vitals(
        status=JobStatus(job.status),
        heard_at=max(filter(None, (job.last_sign_of_life(), due)), default=None),
        progress_at=max(filter(None, (job.progress_at, job.started_at, job.watched_from, due))),
        unannounced_since=min(waiting, default=None),
    )
    return pace.stuck(
        vitals,
        now=now,
        silent_after=timedelta(seconds=job.silent_limit or settings.JOB_SILENT_AFTER),
        stalled_after=timedelta(seconds=job.stalled_limit or settings.JOB_STALLED_AFTER),
    )
