"""Names of the counts that only grow, and their outcomes."""

from __future__ import annotations

from enum import StrEnum

ITEM_FAILURES, JOBS_FINISHED = "item_failures", "jobs_finished"


class FailureOutcome(StrEnum):
    """The fate of an attempt without success: failed for good, to be retried, or its lease has expired."""

    FAILED = "failed"
    RETRIED = "retried"
    EXPIRED = "expired"
