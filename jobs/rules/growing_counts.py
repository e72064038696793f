"""Names of the counts that only grow, and their outcomes."""

from __future__ import annotations

from enum import StrEnum

ITEM_FAILURES, JOBS_FINISHED, NOTIFICATIONS = "item_failures", "jobs_finished", "notifications"


class FailureOutcome(StrEnum):
    """The fate of an attempt without success: failed for good, to be retried, or its lease has expired."""

    FAILED = "failed"
    RETRIED = "retried"
    EXPIRED = "expired"


class NotificationOutcome(StrEnum):
    """The result of sending a message to people: accepted by the service, to be sent again, or given up."""

    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"
