"""Errors of all visible jobs, grouped, over REST."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import tracking
from jobs.models import Item, Job
from jobs.serializers import failures
from tests.factories import WORKER, make_job, phase_of
from tests.jobs.api.conftest import Api


def fail(errors: Sequence[str], *, worker: str = "w1", **fields: Any) -> Job:
    """Make a job whose items have failed with these errors, one after the other."""
    job = make_job(items=len(errors) + 1, **fields)
    for number, error in enumerate(errors):
        results = [tracking.Result(f"k{number}", "failed", error=error)]
        tracking.report(phase_of(job), worker=worker, results=results, by=WORKER)
    return job


def groups(client: Api, query: str = "") -> list[dict[str, Any]]:
    """Return the groups of the answer."""
    found: list[dict[str, Any]] = client.get(f"/errors{query}").json()["results"]
    return found


def said(client: Api, query: str = "") -> list[tuple[str, int]]:
    """Return their signatures and counts."""
    return [(group["signature"], group["count"]) for group in groups(client, query)]


def test_like_failures_of_several_jobs_are_one_group_that_names_them(worker: Api) -> None:
    one = fail(["no /in/1.png", "no /in/2.png", "disk full"], worker="w7")
    other = fail(["no /in/3.png"], worker="w8")
    first, second = groups(worker)
    assert (first["signature"], first["count"], first["sample"]) == ("no …", 3, "no /in/3.png")
    assert first["item"] == Item.objects.get(error="no /in/3.png").pk
    assert (first["workers"], first["worker_count"]) == (["w7", "w8"], 2)
    assert first["phases"] == [{"phase": "items", "count": 3}]
    assert [(job["id"], job["name"], job["count"]) for job in first["jobs"]] == [
        (one.pk, one.name, 2),
        (other.pk, other.name, 1),
    ]
    assert first["first_at"] < first["last_at"]
    assert (second["signature"], second["job_count"]) == ("disk full", 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b"]),
        ("?project=alpha", ["a"]),
        ("?kind=generic", ["a", "b"]),
        ("?kind=ocr", []),
        ("?status=failed", ["b"]),
        ("?q=matter", ["b"]),
        ("?ordering=-last_at", ["b", "a"]),
        ("?limit=1", ["a"]),
        ("?since={hour_ago}", ["b"]),
    ],
)
def test_filters_and_the_order(worker: Api, query: str, found: list[str]) -> None:
    fail(["a", "a"], project="alpha")
    job = make_job(items=1, name="matter-1", on_shortfall="fail")
    tracking.report(phase_of(job), worker="w1", results=[tracking.Result("k0", "failed", error="b")], by=WORKER)
    Item.objects.filter(error="a").update(finished_at=timezone.now() - timedelta(hours=2))
    hour_ago = f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert [signature for signature, _ in said(worker, query.format(hour_ago=hour_ago))] == found


@pytest.mark.parametrize(
    "query",
    ["colour=red", "status=broken", "limit=201", "ordering=name", "since=yesterday", "since=2026-11-21T09:00:00",
     "since=0001-01-01T00:00:00%2B14:00", "since=9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_what_makes_no_sense_is_400_and_names_the_field(worker: Api, query: str) -> None:
    response = worker.get(f"/errors?{query}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, query.partition("=")[0])


def test_an_account_sees_the_errors_of_its_projects_alone(api: Callable[..., Api]) -> None:
    fail(["a"], project="alpha")
    fail(["b"], project="beta")
    assert said(api("viewer", projects=["alpha"])) == [("a", 1)]
    assert said(api("viewer", projects=["alpha"]), "?project=beta") == []
    assert api("").get("/errors").status_code == 403


def test_only_the_newest_failures_are_looked_at_and_it_is_said(worker: Api, monkeypatch: Any) -> None:
    fail(["old", "new", "new"])
    monkeypatch.setattr(failures, "MOST_LOOKED_AT", 2)
    body = worker.get("/errors").json()
    assert [(group["signature"], group["count"]) for group in body["results"]] == [("new", 2)]
    assert (body["looked_at"], body["capped"]) == (2, True)
    monkeypatch.setattr(failures, "MOST_LOOKED_AT", 3)
    body = worker.get("/errors").json()
    assert (len(body["results"]), body["looked_at"], body["capped"]) == (2, 3, False)


def test_of_many_workers_and_jobs_those_with_the_most_failures_are_named(worker: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(failures, "MOST_NAMED", 2)
    jobs = [fail(["x"] * number, worker=f"w{number}") for number in (1, 3, 2)]
    [group] = groups(worker)
    assert (group["workers"], group["worker_count"]) == (["w3", "w2"], 3)
    assert [job["id"] for job in group["jobs"]] == [jobs[1].pk, jobs[2].pk]
    assert group["job_count"] == 3
    [group] = worker.get(f"/jobs/{jobs[0].pk}/errors").json()
    assert (group["workers"], group["count"]) == (["w1"], 1)


def test_no_errors(worker: Api) -> None:
    make_job(items=2, done=1)
    assert worker.get("/errors").json() == {"results": [], "looked_at": 0, "capped": False}


@pytest.mark.parametrize("number", [1, 12])
def test_it_costs_the_same_for_one_group_and_for_many(worker: Api, number: int) -> None:
    for place in range(number):
        fail([f"{'x' * place}y" for _ in range(2)], worker=f"w{place}", project=f"p{place}")
    with CaptureQueriesContext(connection) as asked:
        worker.get("/errors?project=&kind=generic")
    assert len(asked) == 3 + 9


@pytest.mark.parametrize("offset", ["%2B20:57", "-23:59"])
def test_a_time_of_the_filter_may_have_any_offset(worker: Api, offset: str) -> None:
    assert worker.get(f"/errors?since=2026-03-02T12:00:00{offset}").status_code == 200
