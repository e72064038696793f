"""Which deliveries are written, and when."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs.models import Delivery, Event
from tests.factories import complete, make_job, phase_of
from tests.jobs.outbox.conftest import make_endpoint

pytestmark = pytest.mark.django_db


def delivered_types() -> list[str]:
    return sorted(Delivery.objects.values_list("event__type", flat=True))


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["*"], ["items.completed", "job.completed"]),
        (["*.completed"], ["items.completed", "job.completed"]),
        (["job.*"], ["job.completed"]),
        (["items.completed", "*.failed"], ["items.completed"]),
        (["ITEMS.*"], []),
        (["items"], []),
    ],
)
def test_an_endpoint_is_told_of_the_types_that_fit_one_of_its_patterns(types: list[str], expected: list[str]) -> None:
    make_endpoint(types=types)
    make_job(items=1, done=1)
    assert delivered_types() == expected


def test_an_endpoint_of_a_project_is_told_of_its_jobs_only() -> None:
    make_endpoint(project="a", types=["job.*"])
    for project in ("a", "b", ""):
        make_job(items=1, done=1, project=project)
    assert list(Delivery.objects.values_list("job__project", flat=True)) == ["a"]


def test_a_disabled_endpoint_gets_no_deliveries() -> None:
    make_endpoint(active=False)
    make_job(items=1, done=1)
    assert delivered_types() == []


def test_events_that_are_not_outward_are_delivered_to_nobody() -> None:
    make_endpoint()
    make_job(items=2, done=1)
    assert Event.objects.exists()
    assert delivered_types() == []


def test_a_delivery_waits_from_the_moment_of_its_event() -> None:
    endpoint = make_endpoint(types=["job.*"])
    job = make_job(items=1, done=1)
    delivery = Delivery.objects.get()
    assert (delivery.job, delivery.endpoint, delivery.status, delivery.tries) == (job, endpoint, "waiting", 0)
    assert delivery.next_try_at == delivery.created_at == delivery.event.at


def test_events_and_deliveries_are_rolled_back_together() -> None:
    make_endpoint()
    job = make_job(items=1)
    with transaction.atomic():
        complete(phase_of(job), 1)
        assert delivered_types() == ["items.completed", "job.completed"]
        transaction.set_rollback(True)
    assert (Delivery.objects.count(), Event.objects.outward().count()) == (0, 0)


def test_writing_deliveries_costs_two_statements_whatever_their_number() -> None:
    def statements(endpoints: int) -> int:
        for number in range(endpoints):
            make_endpoint(f"https://example.com/{endpoints}/{number}")
        phase = phase_of(make_job(items=1))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            complete(phase, 1)
        return len(queries)

    none = statements(0)
    assert [statements(1), statements(20)] == [none + 1, none + 1]
    assert Delivery.objects.count() == 2 + 42
