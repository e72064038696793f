"""Moves between incidents: the jobs of a change whose causes of incidents begin or end with it."""

from __future__ import annotations

from typing import Any

from jobs.change.fields import JOB_FIELDS, PHASE_FIELDS
from jobs.change.job_change import Change
from jobs.incidents import JobState, Move, move_between
from jobs.models import Job, Phase
from jobs.rules.statuses import OPEN_PHASE

STATUS, STUCK, LATE, ERROR = map(JOB_FIELDS.index, ("status", "stuck", "late", "error"))
PHASE_STATUS, QUARANTINED = map(PHASE_FIELDS.index, ("status", "quarantined"))


def moves_of(change: Change) -> list[Move]:
    """Compare each job with its state before the change; a job without causes before and after costs next to nothing.

    Call it when everything is derived. A new job begins without causes, however it was made.
    """
    found = [_move(change, job) for job in change.jobs.values()]
    return [move for move in found if move]


def state_of(job: Job, phases: list[Phase]) -> JobState:
    """Return the present state of a job."""
    quarantined = sum(phase.quarantined for phase in phases if phase.status in OPEN_PHASE)
    return JobState(job.kind, job.project, job.status, job.stuck, job.late, job.error, quarantined)


def _move(change: Change, job: Job) -> Move | None:
    phases = change.phases[job.pk]
    now = state_of(job, phases)
    was = _before(job, change.job_before[job.pk], [change.phase_before[phase.pk] for phase in phases])
    return None if was == now else move_between(job.pk, was.causes(), now.causes())


def _before(job: Job, row: tuple[Any, ...], phases: list[tuple[Any, ...]]) -> JobState:
    quarantined = sum(phase[QUARANTINED] for phase in phases if phase[PHASE_STATUS] in OPEN_PHASE)
    return JobState(job.kind, job.project, row[STATUS], row[STUCK], row[LATE], row[ERROR], quarantined)
