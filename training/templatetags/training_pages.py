"""How the states of the unified answer look and read on the pages."""

from __future__ import annotations

from django import template

from jobs.console import status_styles
from jobs.rules.statuses import JobStatus

register = template.Library()
# The unified answer has words of its own for the states of a session and its phases.
LOOKS: dict[str, status_styles.StatusStyle] = {
    "pending": status_styles.STYLES[JobStatus.PENDING],
    "discovering": status_styles.StatusStyle("running", "Discovering"),
    "running": status_styles.STYLES[JobStatus.PROCESSING],
    "paused": status_styles.STYLES[JobStatus.PAUSED],
    "completed": status_styles.STYLES[JobStatus.COMPLETED],
    "failed": status_styles.STYLES[JobStatus.FAILED],
    "cancelled": status_styles.STYLES[JobStatus.CANCELLED],
}
PHASES = {"training": "Training", "face_detection": "Face detection", "clustering": "Clustering"}


@register.filter
def look(status: str) -> status_styles.StatusStyle:
    """The face of a status of the unified answer."""
    return LOOKS[status]


@register.filter
def phase_name(code: str) -> str:
    """What people call a phase."""
    return PHASES[code]


@register.filter
def hundredths(percentage: float) -> str:
    """A percentage with its two decimals: `31.56`."""
    return f"{percentage:.2f}"
