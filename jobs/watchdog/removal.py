"""Deletion of the rows of removed jobs, in portions: after the act, and in the watchdog until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.db.models import QuerySet

from jobs.db import deletion
from jobs.isolation import isolated
from jobs.models import Job

# A small job is gone, and its name free, when the act has been answered.
AT_ONCE_SECONDS = 1.0


def removed_jobs() -> QuerySet[Job]:
    """Return the jobs whose deletion has started."""
    return Job._base_manager.filter(removed_at__isnull=False)


def delete_removed_jobs(job_ids: Iterable[int] | None = None, *, seconds: float = AT_ONCE_SECONDS) -> bool:
    """Delete removed jobs, or these of them, for this long; return True while any is left."""
    end = time.monotonic() + seconds
    jobs = removed_jobs() if job_ids is None else removed_jobs().filter(pk__in=list(job_ids))
    is_left = False
    for job_id in jobs.order_by("pk").values_list("pk", flat=True):
        with isolated("removal.job", job_id=job_id):
            is_left = not deletion.delete_until(end, removed_jobs().filter(pk=job_id)) or is_left
        if time.monotonic() >= end:
            return is_left or jobs.exists()
    return is_left
