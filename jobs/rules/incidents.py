"""Kinds and states of incidents, and the words for them. Pure: no Django, no database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CAUSE_LENGTH = 200
TITLE_LENGTH = 300


class IncidentKind(StrEnum):
    """The kind of an incident."""

    JOB_STUCK = "job_stuck"
    JOB_FAILED = "job_failed"
    JOB_LATE = "job_late"
    WORKER_QUARANTINED = "worker_quarantined"
    WORKER_GONE = "worker_gone"
    ERRORS = "errors"
    ENDPOINT_FAILING = "endpoint_failing"
    DEAD_LETTERS = "dead_letters"
    DELIVERY_LAG = "delivery_lag"
    WATCHDOG_SILENT = "watchdog_silent"
    CHANNEL_FAILING = "channel_failing"


class IncidentState(StrEnum):
    """The state of an incident. All but resolved are states of an incident that is not over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


ONGOING = tuple(state for state in IncidentState if state != IncidentState.RESOLVED)


class Notice(StrEnum):
    """A change of an incident that people are to learn."""

    OPENED = "opened"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class KindText:
    """The words of a kind: its label, the singular and plural of its subjects, and how it ends.

    `severity` grows with the harm. `ends_when` completes "It ends by itself when …"; empty where an operator resolves
    it.
    """

    label: str
    severity: int
    subjects: tuple[str, str]
    ends_when: str = ""


JOBS, WORKERS = ("job", "jobs"), ("worker", "workers")
KINDS: dict[IncidentKind, KindText] = {
    IncidentKind.WATCHDOG_SILENT: KindText(
        "Watchdog silent", 100, ("process", "processes"), "a watchdog process sends a heartbeat"
    ),
    IncidentKind.JOB_STUCK: KindText("Stuck", 90, JOBS, "its jobs make progress"),
    IncidentKind.JOB_LATE: KindText("Late", 80, JOBS, "its jobs finish or get a later due time"),
    IncidentKind.ERRORS: KindText("Errors", 70, JOBS, "the items no longer fail"),
    IncidentKind.JOB_FAILED: KindText("Failed", 60, JOBS),
    IncidentKind.DELIVERY_LAG: KindText(
        "Deliveries delayed", 50, ("delivery", "deliveries"), "the waiting events are sent"
    ),
    IncidentKind.ENDPOINT_FAILING: KindText("Endpoint failing", 45, ("delivery", "deliveries")),
    IncidentKind.CHANNEL_FAILING: KindText(
        "Channel failing", 44, ("message", "messages"), "a message is sent through the channel"
    ),
    IncidentKind.DEAD_LETTERS: KindText("Dead letters", 40, ("message", "messages")),
    IncidentKind.WORKER_GONE: KindText("Worker gone", 30, WORKERS, "the workers come back or their items are released"),
    IncidentKind.WORKER_QUARANTINED: KindText("Worker quarantined", 20, JOBS, "the quarantines end"),
}
# Kinds that are about jobs: each of their jobs has a row of its own.
JOB_KINDS = (
    IncidentKind.JOB_STUCK,
    IncidentKind.JOB_FAILED,
    IncidentKind.JOB_LATE,
    IncidentKind.WORKER_QUARANTINED,
)
