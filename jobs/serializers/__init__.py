"""JSON representations of jobs, phases, items, errors and events."""

from jobs.serializers.encoding import encode
from jobs.serializers.failures import Failures, error_groups, errors_across, failures_of
from jobs.serializers.items import attempt_body, claimed_body, item_body
from jobs.serializers.jobs import job_bodies, job_body, phase_bodies, phase_body
from jobs.serializers.shapes import (
    ActivityRow,
    AttemptBody,
    ClaimedBody,
    CurrentItem,
    DiagnosisBody,
    ErrorGroup,
    ItemBody,
    JobBody,
    JobClaimedBody,
    JobsErrorGroup,
    OutwardEvent,
    PhaseBody,
    ProgressBody,
    TimelineRow,
)
from jobs.serializers.summaries import progress_body
from jobs.serializers.timeline import activity_row, outward_event, timeline_row

__all__ = [
    "ActivityRow",
    "AttemptBody",
    "ClaimedBody",
    "CurrentItem",
    "DiagnosisBody",
    "ErrorGroup",
    "Failures",
    "ItemBody",
    "JobBody",
    "JobClaimedBody",
    "JobsErrorGroup",
    "OutwardEvent",
    "PhaseBody",
    "ProgressBody",
    "TimelineRow",
    "activity_row",
    "attempt_body",
    "claimed_body",
    "encode",
    "error_groups",
    "errors_across",
    "failures_of",
    "item_body",
    "job_bodies",
    "job_body",
    "outward_event",
    "phase_bodies",
    "phase_body",
    "progress_body",
    "timeline_row",
]
