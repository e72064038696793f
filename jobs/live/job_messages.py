"""State of a job, encoded once for every listener."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.utils import timezone

from jobs.models import Job
from jobs.rules.statuses import JobStatus
from jobs.serializers import JobBody, encode, job_bodies

PING = '{"type":"ping"}'
OVER = (JobStatus.COMPLETED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobMessage:
    """One job at one revision: its body and the message that carries it.

    No worker is expected to change one that `is_over`: it is completed or cancelled, and none of its items is leased
    or done again.
    """

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
    return [_message(job, body) for job, body in zip(jobs, bodies, strict=True)]


def snapshot(messages: Iterable[JobMessage]) -> str:
    """Return the message that begins a topic."""
    return '{"type":"snapshot","jobs":[' + ",".join(message.body for message in messages) + "]}"


def gone(job_id: int) -> str:
    """Return the message that a job was deleted or has left the list."""
    return f'{{"type":"gone","id":{job_id}}}'


def is_over(body: JobBody) -> bool:
    """Return whether a job has ended for good; `live.js` decides in the same way."""
    leased = any(phase["processing"] for phase in body["phases"])
    return body["status"] in OVER and not body["reworking"] and not leased


def _message(job: Job, body: JobBody) -> JobMessage:
    encoded = encode(body).decode()
    return JobMessage(
        job_id=job.pk,
        revision=job.revision,
        is_over=is_over(body),
        body=encoded,
        text=f'{{"type":"job","job":{encoded}}}',
        loaded_at=time.monotonic(),
    )
