"""Number of queries of a request, which does not grow with the stored data."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Job
from jobs.serializers import job_bodies, phase_body
from tests.factories import make_job, phase_of
from tests.jobs.api.conftest import Api

TOKEN, ACCESS, LOOKUP = 2, 1, 1


def queries(call: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        call()
    return len(captured)


@pytest.mark.parametrize("number", [1, 50])
def test_the_bodies_of_many_jobs_cost_three_queries(db: None, django_assert_num_queries: Any, number: int) -> None:
    for _ in range(number):
        make_job(items=2, done=1)
    jobs = list(Job.objects.all())
    with django_assert_num_queries(3):
        bodies = job_bodies(jobs, now=timezone.now())
    assert [body["id"] for body in bodies] == [job.pk for job in jobs]
    assert {body["phases"][0]["current"]["key"] for body in bodies} == {"k0"}


@pytest.mark.parametrize("number", [1, 50])
def test_a_page_of_jobs_costs_the_same_with_1_and_with_50(worker: Api, number: int) -> None:
    for _ in range(number):
        make_job(items=2, done=1)
    assert queries(lambda: worker.get("/jobs")) == TOKEN + ACCESS + 1 + 3


@pytest.mark.parametrize("number", [1, 150])
def test_a_page_of_items_costs_the_same_with_1_and_with_150(worker: Api, number: int) -> None:
    job = make_job(items=number)
    assert queries(lambda: worker.get(f"/jobs/{job.pk}/phases/items/items?limit=200")) == TOKEN + ACCESS + LOOKUP + 1


def test_an_unchanged_job_costs_no_more_than_finding_it(worker: Api) -> None:
    job = make_job(items=1)
    etag = f'"{job.revision}"'
    assert queries(lambda: worker.get(f"/jobs/{job.pk}", **{"If-None-Match": etag})) == TOKEN + ACCESS + LOOKUP


@pytest.mark.parametrize("number", [1, 20])
def test_the_feed_costs_the_same_with_1_and_with_20_jobs(worker: Api, number: int) -> None:
    for _ in range(number):
        make_job(items=1, done=1)
    horizon = 1 if connection.vendor == "postgresql" else 0  # up to which event nothing is missing
    assert queries(lambda: worker.get("/events")) == TOKEN + ACCESS + horizon + 1


def test_the_cost_of_a_report_does_not_depend_on_its_length(worker: Api) -> None:
    job = make_job(items=1201, done=1)
    path = f"/jobs/{job.pk}/phases/items/report"
    costs = set()
    for first, last in ((1, 2), (2, 102), (102, 1102)):
        body = {"worker": "w1", "results": [{"key": f"k{n}", "status": "completed"} for n in range(first, last)]}
        costs.add(queries(lambda body=body: worker.post(path, body)))
    assert len(costs) == 1
    assert costs.pop() <= TOKEN + ACCESS + LOOKUP + 1 + 11


def test_a_report_finds_its_phase_and_answers_with_one_query_each(db: None, django_assert_num_queries: Any) -> None:
    phase = phase_of(make_job(items=2, done=1))
    with django_assert_num_queries(1):
        assert phase_body(phase)["current"] == {"key": "k0", "label": "", "payload": {}}


@pytest.mark.parametrize("path", ["/jobs", "/events", "/errors"])
def test_a_query_has_no_word_that_the_framework_takes_for_itself(worker: Api, path: str) -> None:
    response = worker.get(f"{path}?format=csv")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "format")
