"""Label, icon and colour of the kinds and states of incidents. They reuse those of job statuses."""

from __future__ import annotations

from jobs.console.status_styles import StatusStyle
from jobs.models import Incident
from jobs.rules.incidents import KINDS, IncidentKind, IncidentState

CODES = {
    IncidentKind.JOB_STUCK: "stuck",
    IncidentKind.JOB_FAILED: "failed",
    IncidentKind.ERRORS: "failed",
    IncidentKind.JOB_LATE: "late",
    IncidentKind.WATCHDOG_SILENT: "silent",
    IncidentKind.WORKER_GONE: "gone",
    IncidentKind.WORKER_QUARANTINED: "paused",
    IncidentKind.DELIVERY_LAG: "stuck",
    IncidentKind.ENDPOINT_FAILING: "failed",
    IncidentKind.CHANNEL_FAILING: "failed",
    IncidentKind.DEAD_LETTERS: "failed",
}
STATES = {
    IncidentState.OPEN: StatusStyle("stuck", "Open"),
    IncidentState.ACKNOWLEDGED: StatusStyle("running", "Acknowledged"),
    IncidentState.SNOOZED: StatusStyle("paused", "Snoozed"),
    IncidentState.RESOLVED: StatusStyle("completed", "Resolved"),
}


def kind_style(incident: Incident) -> StatusStyle:
    """Return the style of the kind of an incident."""
    kind = IncidentKind(incident.kind)
    return StatusStyle(CODES[kind], KINDS[kind].label)


def state_style(incident: Incident) -> StatusStyle:
    """Return the style of the state of an incident."""
    return STATES[IncidentState(incident.state)]
