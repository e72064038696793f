"""How the states of the unified answer look and read on the pages."""

from __future__ import annotations

from django import template

from jobs import faces
from jobs.statuses import JobStatus

register = template.Library()
# The unified answer has words of its own for the states of a session and its phases.
LOOKS: dict[str, faces.Face] = {
    "pending": faces.FACES[JobStatus.PENDING],
    "discovering": faces.Face("running", "Discovering"),
    "running": faces.FACES[JobStatus.PROCESSING],
    "paused": faces.FACES[JobStatus.PAUSED],
    "completed": faces.FACES[JobStatus.COMPLETED],
    "failed": faces.FACES[JobStatus.FAILED],
    "cancelled": faces.FACES[JobStatus.CANCELLED],
}
PHASES = {"training": "Training", "face_detection": "Face detection", "clustering": "Clustering"}


@register.filter
def look(status: str) -> faces.Face:
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
