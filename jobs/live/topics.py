"""Topics of the live channel, and the jobs that each covers at the moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobs.isolation import isolated
from jobs.models import Job
from jobs.models.jobs import JobQuerySet

LIST_LENGTH = 500
FINISHED_LENGTH = 50


@dataclass(frozen=True, slots=True)
class Topic:
    """One job; or, where `job` is None, the list of the jobs of these projects (None: of all)."""

    job: int | None = None
    projects: frozenset[str] | None = None


class Unreadable(Exception):
    """The jobs of a topic cannot be read; the log has the cause."""


def revisions(topics: Iterable[Topic]) -> dict[Topic, dict[int, int]]:
    """Return the jobs of each topic with their current revision; a topic that cannot be read is left out.

    A list holds the unfinished jobs and the 50 last finished, at most 500 together: the stuck ones first, then the
    newest. All topics of one job together cost one query, each list at most three.
    """
    found: dict[Topic, dict[int, int]] = {}
    wanted = list(topics)
    with isolated("live.jobs"):
        single = _revisions_of([topic.job for topic in wanted if topic.job is not None])
        found = {topic: _only(single, topic.job) for topic in wanted if topic.job is not None}
    for topic in wanted:
        if topic.job is None:
            with isolated("live.topic", projects=sorted(topic.projects or ())):
                found[topic] = _listed(topic)
    return found


def _only(single: dict[int, int], job_id: int) -> dict[int, int]:
    return {job_id: single[job_id]} if job_id in single else {}


def _revisions_of(job_ids: Collection[int]) -> dict[int, int]:
    return dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "revision")) if job_ids else {}


def _listed(topic: Topic) -> dict[int, int]:
    jobs = Job.objects.all() if topic.projects is None else Job.objects.filter(project__in=topic.projects)
    finished = _pairs(jobs.filter(finished_at__isnull=False).order_by("-finished_at", "-id"), FINISHED_LENGTH)
    room = LIST_LENGTH - len(finished)
    unfinished = _pairs(jobs.unfinished().order_by("-id"), room)
    if len(unfinished) == room:
        unfinished = _pairs(jobs.unfinished().stuck().order_by("-id"), room) | unfinished
    return dict(list(unfinished.items())[:room]) | finished


def _pairs(jobs: JobQuerySet, number: int) -> dict[int, int]:
    return dict(jobs.values_list("pk", "revision")[:number])
