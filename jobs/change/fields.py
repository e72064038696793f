"""The columns of jobs and phases that a change writes, and the error of a lost lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, count
from operator import attrgetter, ne
from typing import Any

from jobs.models import Job, Phase
from jobs.rules.statuses import ItemStatus

COUNTERS: dict[str, str] = {
    ItemStatus.COMPLETED: "done",
    ItemStatus.FAILED: "failed",
    ItemStatus.SKIPPED: "skipped",
    ItemStatus.PROCESSING: "processing",
}
PHASE_FIELDS = (
    "run", "status", "threshold", "gate_open", "listed", "counted", "announced", "forced", "waits_for_all",
    "amending", "retries", "retry_delay", "retry_delay_max", "next_due_at", "quarantined",
    "expected", "items_total", "done", "failed", "skipped", "processing", "waiting", "partial", "completed_by", "error",
    "moving", "moving_act", "current_item_id", "started_at", "completed_at", "deadline_at", "deadline_left",
    "last_item_at",
    "priority", "max_leased",
)  # fmt: skip
JOB_FIELDS = (
    "heartbeat_at", "progress_at", "held", "status", "partial", "reworking", "stuck", "stuck_since", "late", "due_at",
    "expected_seconds", "silent_limit", "stalled_limit", "stage", "percent", "settled_percent", "revision", "error",
    "error_item_id", "updated_at", "started_at", "finished_at", "watched_from", "badge_series", "priority",
)  # fmt: skip
SIGNS_OF_LIFE = 2
_of_phase: Callable[[Phase], tuple[Any, ...]] = attrgetter(*PHASE_FIELDS)
_of_job: Callable[[Job], tuple[Any, ...]] = attrgetter(*JOB_FIELDS)


class ConcurrentModification(Exception):
    """A writer without the lock of the job has changed a row; the whole change is rolled back."""

    def __init__(self, row: str) -> None:
        super().__init__(f"Another transaction changed the {row} without the lock of its job.")


def phase_values(phase: Phase) -> tuple[Any, ...]:
    """Return the columns of a phase that a change may write. The run and the status come first: they guard the row."""
    return _of_phase(phase)


def job_values(job: Job) -> tuple[Any, ...]:
    """Return the columns of a job that a change may write. The first SIGNS_OF_LIFE alone keep the revision."""
    return _of_job(job)


def changed_columns(
    names: Sequence[str], before: Sequence[tuple[Any, ...]], after: Sequence[tuple[Any, ...]]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return those of these columns that differ in any row, and the new values of them for each row."""
    changed: set[int] = set()
    for was, now in zip(before, after, strict=True):
        changed.update(compress(count(), map(ne, was, now)))
    places = sorted(changed)
    return tuple(names[place] for place in places), [tuple(now[place] for place in places) for now in after]
