"""How a state looks: its word, and the name of its icon and colours. One place for server and browser."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import Job
from jobs.rules.statuses import ItemStatus, JobStatus


@dataclass(frozen=True, slots=True)
class Face:
    """A state as people see it; `code` names the icon and the style."""

    code: str
    word: str


STUCK = Face("stuck", "Stuck")
PARTIAL = Face("partial", "Completed, partial")
FACES: dict[str, Face] = {
    JobStatus.PENDING: Face("pending", "Pending"),
    JobStatus.PROCESSING: Face("running", "Running"),
    JobStatus.PAUSED: Face("paused", "Paused"),
    JobStatus.COMPLETED: Face("completed", "Completed"),
    JobStatus.FAILED: Face("failed", "Failed"),
    JobStatus.CANCELLED: Face("cancelled", "Cancelled"),
    ItemStatus.SKIPPED: Face("skipped", "Skipped"),
    "alive": Face("alive", "Alive"),
    "silent": Face("silent", "Silent"),
    "gone": Face("gone", "Gone"),
}
# Workers and endpoints that need attention borrow the looks of jobs; only the server draws them.
FAILING = Face("failed", "Failing")
LATE = Face("stuck", "Late")
ALL = [*FACES.values(), STUCK, PARTIAL]
# Endpoints, deliveries and letters borrow the looks of jobs; only the server draws them.
TOLD: dict[str, Face] = {
    "active": Face("alive", "Active"),
    "disabled": Face("gone", "Disabled"),
    "waiting": Face("pending", "Waiting"),
    "sent": Face("completed", "Sent"),
    "dead": Face("failed", "Dead"),
    "replayed": Face("completed", "Replayed"),
}

BULK: dict[str, Face] = {
    "running": Face("running", "Running"),
    "finished": Face("completed", "Finished"),
    "stopped": Face("cancelled", "Stopped"),
}


def face(status: str, *, stuck: str | None = "", partial: bool = False) -> Face:
    """The face of a job, a phase or an item in this state."""
    if stuck:
        return STUCK
    if partial and status == JobStatus.COMPLETED:
        return PARTIAL
    return FACES[status]


def face_of(job: Job) -> Face:
    """The face of a job's row."""
    return face(job.status, stuck=job.stuck, partial=job.partial)
