"""How a state looks: its word, and the name of its icon and colours. One place for server and browser."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import Job
from jobs.rules.statuses import ItemStatus, JobStatus


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """A state as people see it; `code` names the icon and the style."""

    code: str
    word: str


STUCK = StatusStyle("stuck", "Stuck")
PARTIAL = StatusStyle("partial", "Completed, partial")
STYLES: dict[str, StatusStyle] = {
    JobStatus.PENDING: StatusStyle("pending", "Pending"),
    JobStatus.PROCESSING: StatusStyle("running", "Running"),
    JobStatus.PAUSED: StatusStyle("paused", "Paused"),
    JobStatus.COMPLETED: StatusStyle("completed", "Completed"),
    JobStatus.FAILED: StatusStyle("failed", "Failed"),
    JobStatus.CANCELLED: StatusStyle("cancelled", "Cancelled"),
    ItemStatus.SKIPPED: StatusStyle("skipped", "Skipped"),
    "alive": StatusStyle("alive", "Alive"),
    "silent": StatusStyle("silent", "Silent"),
    "gone": StatusStyle("gone", "Gone"),
}
# Workers and endpoints that need attention borrow the looks of jobs; only the server draws them.
FAILING = StatusStyle("failed", "Failing")
LATE = StatusStyle("stuck", "Late")
ALL = [*STYLES.values(), STUCK, PARTIAL]
# Endpoints, deliveries and letters borrow the looks of jobs; only the server draws them.
TOLD: dict[str, StatusStyle] = {
    "active": StatusStyle("alive", "Active"),
    "disabled": StatusStyle("gone", "Disabled"),
    "waiting": StatusStyle("pending", "Waiting"),
    "sent": StatusStyle("completed", "Sent"),
    "dead": StatusStyle("failed", "Dead"),
    "replayed": StatusStyle("completed", "Replayed"),
}

BULK: dict[str, StatusStyle] = {
    "running": StatusStyle("running", "Running"),
    "finished": StatusStyle("completed", "Finished"),
    "stopped": StatusStyle("cancelled", "Stopped"),
}


def style(status: str, *, stuck: str | None = "", partial: bool = False) -> StatusStyle:
    """The face of a job, a phase or an item in this state."""
    if stuck:
        return STUCK
    if partial and status == JobStatus.COMPLETED:
        return PARTIAL
    return STYLES[status]


def style_of(job: Job) -> StatusStyle:
    """The face of a job's row."""
    return style(job.status, stuck=job.stuck, partial=job.partial)
