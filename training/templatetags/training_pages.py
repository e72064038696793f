"""Styles and labels of the unified progress."""

from __future__ import annotations

from django import template

from jobs.console import status_styles
from jobs.models import Phase
from jobs.rules.statuses import JobStatus
from training.reached import reached, shown_overall

register = template.Library()
# The unified progress has its own status names; its client requires them.
STATUS_STYLES: dict[str, status_styles.StatusStyle] = {
    "pending": status_styles.STYLES[JobStatus.PENDING],
    "discovering": status_styles.StatusStyle("running", "Discovering"),
    "running": status_styles.STYLES[JobStatus.PROCESSING],
    "paused": status_styles.STYLES[JobStatus.PAUSED],
    "completed": status_styles.STYLES[JobStatus.COMPLETED],
    "failed": status_styles.STYLES[JobStatus.FAILED],
    "cancelled": status_styles.STYLES[JobStatus.CANCELLED],
}
PHASE_LABELS = {"training": "Training", "face_detection": "Face detection", "clustering": "Clustering"}


@register.simple_tag
def part_style(status: str, phase: Phase) -> status_styles.StatusStyle:
    """Return the style of a phase with this status of the unified progress."""
    return status_styles.PARTIAL if phase.partial and status == "completed" else STATUS_STYLES[status]


@register.filter
def phase_name(code: str) -> str:
    """Return the label of a phase."""
    return PHASE_LABELS[code]


@register.filter
def hundredths(percentage: float) -> str:
    """Format a percentage with two decimals: `31.56`."""
    return f"{percentage:.2f}"


register.simple_tag(reached)
register.simple_tag(shown_overall, name="overall")
