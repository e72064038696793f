"""The list of jobs among very many: as many statements as among none, and nearly as quick."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import Job
from tests.jobs.pages.many_jobs import make_crowd
from tests.plan import size

JOBS = "/admin/jobs/job/"
MANY = size(2_000, full=10_000)
LIKE_FEW = 3
QUERIES = ["", "?status=all", "?status=failed", "?q=crowd-77", "?status=pending&p=15", "?kind=generic&o=2"]


def quickest(client: Any, address: str) -> float:
    """The best time of three, in seconds."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert client.get(address).status_code == 200
        times.append(time.perf_counter() - began)
    return min(times)


def statements(client: Any, address: str) -> int:
    """Return the number of SQL statements of the page."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        client.get(address)
    return len(asked)


@pytest.mark.full
@pytest.mark.django_db
def test_pages_filters_and_searches_cost_the_same_among_very_many_jobs(lead: Any) -> None:
    make_crowd(100)  # one whole page, so that what is drawn is the same
    asked, seconds = statements(lead.client, JOBS), quickest(lead.client, JOBS)
    Job.objects.all().delete()
    make_crowd(MANY)
    for query in QUERIES:
        assert statements(lead.client, JOBS + query) <= asked + 1, query
        assert quickest(lead.client, JOBS + query) < LIKE_FEW * seconds, query
