"""Jobs of a list topic, and the queries to find them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.live.job_messages import load
from jobs.live.topics import Topic, revisions
from jobs.models import Job
from jobs.rules.statuses import JobStatus
from tests.factories import make_job

pytestmark = pytest.mark.django_db
ALL = Topic()


def make_jobs(number: int, *, name: str, status: JobStatus = JobStatus.PENDING, **fields: Any) -> list[Job]:
    """Many jobs without phases; the finished ones one second apart, the last one latest."""
    now = timezone.now()
    return Job.objects.bulk_create(
        Job(
            name=f"{name}-{n}",
            kind="generic",
            status=status,
            created_at=now,
            updated_at=now,
            watched_from=now,
            finished_at=now + timedelta(seconds=n) if status == JobStatus.COMPLETED else None,
            **fields,
        )
        for n in range(number)
    )


def listed(topic: Topic = ALL) -> list[int]:
    """Return the ids of the topic's jobs."""
    return list(revisions([topic])[topic])


def queries_of(act: Callable[[], Any]) -> int:
    """Return the number of queries."""
    with CaptureQueriesContext(connection) as queries:
        act()
    return len(queries)


def test_a_list_holds_the_unfinished_and_the_50_last_finished() -> None:
    unfinished = make_jobs(20, name="open")
    finished = make_jobs(60, name="done", status=JobStatus.COMPLETED)
    assert set(listed()) == {job.pk for job in unfinished + finished[10:]}


def test_a_list_holds_no_more_than_500_jobs_the_newest() -> None:
    unfinished = make_jobs(600, name="open")
    make_jobs(60, name="done", status=JobStatus.COMPLETED)
    found = listed()
    assert len(found) == 500
    assert {job.pk for job in unfinished[-450:]} < set(found)


def test_stuck_jobs_have_a_place_before_newer_ones() -> None:
    stuck = make_jobs(3, name="stuck", stuck="silent")
    make_jobs(600, name="open")
    assert {job.pk for job in stuck} < set(listed())


def test_a_list_of_projects_holds_theirs_alone() -> None:
    mine = make_jobs(2, name="a", project="a") + make_jobs(2, name="b", project="b")
    make_jobs(2, name="c", project="c")
    assert set(listed(Topic(projects=frozenset({"a", "b"})))) == {job.pk for job in mine}


def test_a_job_that_does_not_exist_is_no_member() -> None:
    assert listed(Topic(job=999_999)) == []


def test_many_jobs_that_are_watched_alone_cost_one_query() -> None:
    topics = [Topic(job=job.pk) for job in make_jobs(40, name="open")]
    assert queries_of(lambda: revisions(topics)) == 1


@pytest.mark.parametrize("number", [1, 30])
def test_loading_frames_costs_a_constant_number_of_queries(number: int) -> None:
    ids = [make_job(items=2, done=1).pk for _ in range(number)]
    assert queries_of(lambda: load(ids)) == 4
