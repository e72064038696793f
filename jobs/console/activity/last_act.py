"""The last act of a person on a job, for the head of its page."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.console.activity.words import past_of
from jobs.models import Activity, Job


@dataclass(frozen=True, slots=True)
class LastAct:
    """The act and its participle: `Force-completed`."""

    row: Activity
    past: str


def last_act(job: Job) -> LastAct | None:
    """Return the last act on this job; None without one. One query, by the index of jobs."""
    row = Activity.objects.filter(job_id=job.pk).newest_first().first()
    return None if row is None else LastAct(row, past_of(row.act).capitalize())
