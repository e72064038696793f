"""Checkpoints: the figures that `get_progress` shows, kept with the job until the next one.

They are in the job's metadata under `checkpoint`, so they survive a restart, every process reads the same, and REST
and the pages show them too. The live counts are the phase's own.
"""

from __future__ import annotations

from typing import Any

from jobs.change import Actor, change_jobs
from jobs.models import Job, Phase

KEY = "checkpoint"


def take(job_id: int, *, worker: str) -> None:
    """Store the present figures; equal ones change nothing. NotFound if the job was deleted."""
    with change_jobs([job_id], by=Actor(name=worker)) as change:
        figures = live(change.phases[job_id][0])
        if change.job.metadata.get(KEY) == figures:
            return
        change.job.metadata = {**change.job.metadata, KEY: figures}
        Job.objects.filter(pk=job_id).update(metadata=change.job.metadata)
        change.bump_revision(change.job)


def live(phase: Phase) -> dict[str, int]:
    """Return the live figures of a phase."""
    total = phase.items_total if phase.expected is None else phase.expected
    return {"total": total, "processed": phase.done + phase.skipped, "error": phase.failed}


def progress(job: Job) -> dict[str, Any]:
    """Return the figures of the last checkpoint, or the live ones of a job without a checkpoint."""
    figures = job.metadata.get(KEY) or live(job.phases.order_by("position")[0])
    total, processed, error = (figures[name] for name in ("total", "processed", "error"))
    return {
        "job_id": job.pk,
        "name": job.name,
        "total_images": total,
        "processed_count": processed,
        "error_count": error,
        "pending_count": max(0, total - processed - error),
        "status": str(job.status),
    }
