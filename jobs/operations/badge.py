"""Renewal of the links to a job's badge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change.audit import audit
from jobs.models import Job
from jobs.operations.base import Act, acting

if TYPE_CHECKING:
    from jobs.operations.base import By


def renew_badge(job: Job, *, actor: By, reason: str = "", revision: int | None = None) -> Act:
    """Start a new series of links; the earlier ones show nothing any more."""
    with acting(job, "share", actor=actor, reason=reason, revision=revision) as change:
        change.job.badge_series += 1
        detail = "The badge has new links; the earlier ones show nothing."
        audit(change, "share", detail)
        return Act(1, change.job, detail)
