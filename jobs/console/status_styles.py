"""Label, icon and colour of each status, for the server and the browser."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobs.models import Channel, Job
from jobs.rules.formatting import format_number
from jobs.rules.statuses import ItemStatus, JobStatus


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """Display form of a status; `code` names the icon and the CSS class. A `count` follows the label."""

    code: str
    label: str
    count: int | None = None


STUCK = StatusStyle("stuck", "Stuck")
PARTIAL = StatusStyle("partial", "Completed, partial")
REWORKING = StatusStyle("reworking", "Completed, reworking")
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
# Every style that the browser can switch to; `live.html` renders one template for each.
ALL = [*STYLES.values(), STUCK, PARTIAL, REWORKING]
# Endpoints, deliveries and dead letters. They reuse icons and colours of job statuses.
DELIVERY_STYLES: dict[str, StatusStyle] = {
    "active": StatusStyle("alive", "Active"),
    "disabled": StatusStyle("gone", "Disabled"),
    "waiting": StatusStyle("pending", "Waiting"),
    "sent": StatusStyle("completed", "Sent"),
    "dead": StatusStyle("failed", "Dead"),
    "replayed": StatusStyle("completed", "Replayed"),
}

CHANNEL_STYLES: dict[str, StatusStyle] = {
    **DELIVERY_STYLES,
    "failing": StatusStyle("failed", "Failing"),
    "skipped": StatusStyle("cancelled", "Not needed"),
}

BULK_STYLES: dict[str, StatusStyle] = {
    "running": StatusStyle("running", "Running"),
    "finished": StatusStyle("completed", "Finished"),
    "stopped": StatusStyle("cancelled", "Stopped"),
}


def style(status: str, *, stuck: str | None = "", partial: bool = False, reworking: int = 0) -> StatusStyle:
    """Return the style of a job, phase or item: the one place that decides.

    Stuck wins over the status; of a completed job, reworking wins over partial. `figures.js` decides the same way.
    """
    if stuck:
        return STUCK
    if reworking and status == JobStatus.COMPLETED:
        return replace(REWORKING, count=reworking)
    if partial and status == JobStatus.COMPLETED:
        return PARTIAL
    return STYLES[status]


def style_of(job: Job) -> StatusStyle:
    """Return the style of a job."""
    return style(job.status, stuck=job.stuck, partial=job.partial, reworking=job.reworking)


def label_of(style: StatusStyle) -> str:
    """Return the label with its count: `Completed, reworking 7`."""
    return style.label if style.count is None else f"{style.label} {format_number(style.count)}"


def channel_state(channel: Channel) -> str:
    """Return the state of a channel of notifications: active, failing or disabled."""
    if not channel.active:
        return "disabled"
    return "failing" if channel.failing_since else "active"
