"""Label, icon and colour of each status, for the server and the browser."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.models import Job
from jobs.rules.statuses import ItemStatus, JobStatus


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """Display form of a status; `code` names the icon and the CSS class."""

    code: str
    label: str


STUCK = StatusStyle("stuck", "Stuck")
PARTIAL = StatusStyle("partial", "Completed, partial")
LATE = StatusStyle("late", "Late")
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
# Attention rows of workers and endpoints. They reuse icons and colours of job statuses.
FAILING = StatusStyle("failed", "Failing")
QUARANTINED = StatusStyle("paused", "Quarantined")
DELAYED = StatusStyle("stuck", "Late")
# Every style that the browser can switch to; `live.html` renders one template for each.
ALL = [*STYLES.values(), STUCK, PARTIAL]
# Endpoints, deliveries and dead letters. They reuse icons and colours of job statuses.
DELIVERY_STYLES: dict[str, StatusStyle] = {
    "active": StatusStyle("alive", "Active"),
    "disabled": StatusStyle("gone", "Disabled"),
    "waiting": StatusStyle("pending", "Waiting"),
    "sent": StatusStyle("completed", "Sent"),
    "dead": StatusStyle("failed", "Dead"),
    "replayed": StatusStyle("completed", "Replayed"),
}

BULK_STYLES: dict[str, StatusStyle] = {
    "running": StatusStyle("running", "Running"),
    "finished": StatusStyle("completed", "Finished"),
    "stopped": StatusStyle("cancelled", "Stopped"),
}


def style(status: str, *, stuck: str | None = "", partial: bool = False) -> StatusStyle:
    """Return the style of a job, phase or item. Stuck wins over the status, partial over completed."""
    if stuck:
        return STUCK
    if partial and status == JobStatus.COMPLETED:
        return PARTIAL
    return STYLES[status]


def style_of(job: Job) -> StatusStyle:
    """Return the style of a job."""
    return style(job.status, stuck=job.stuck, partial=job.partial)
