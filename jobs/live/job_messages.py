"""State of a job, encoded once for every listener."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.utils import timezone

from jobs.models import Job
from jobs.rules.statuses import JobStatus
from jobs.serializers import encode, job_bodies

PING = '{"type":"ping"}'
OVER = (JobStatus.COMPLETED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobMessage:
    """One job at one revision: its body and the message that carries it. No worker can change one that `is_over`."""

    job_id: int
    revision: int
    is_over: bool
    body: str
    text: str
    loaded_at: float


def load(job_ids: Collection[int]) -> list[JobMessage]:
    """Load the newest state of these jobs with a constant number of queries. Deleted ones are left out."""
    # The bodies bring the jobs up to date with their phases, so a message has the revision that its body shows.
    jobs = list(Job.objects.filter(pk__in=job_ids))
    bodies = job_bodies(jobs, now=timezone.now())
    return [_message(job, encode(body).decode()) for job, body in zip(jobs, bodies, strict=True)]


def snapshot(messages: Iterable[JobMessage]) -> str:
    """Return the message that begins a topic."""
    return '{"type":"snapshot","jobs":[' + ",".join(message.body for message in messages) + "]}"


def gone(job_id: int) -> str:
    """Return the message that a job was deleted or has left the list."""
    return f'{{"type":"gone","id":{job_id}}}'


def _message(job: Job, body: str) -> JobMessage:
    return JobMessage(
        job_id=job.pk,
        revision=job.revision,
        is_over=job.status in OVER,
        body=body,
        text=f'{{"type":"job","job":{body}}}',
        loaded_at=time.monotonic(),
    )
