"""The feed of outward events."""

from __future__ import annotations

from typing import Any

from jobs.models import Event
from tests.factories import make_job
from tests.jobs.api.conftest import Api


def test_the_feed_is_ascending_and_outward_only(worker: Api) -> None:
    job = make_job(name="a", items=1, done=1)
    rows = worker.get("/events").json()["results"]
    assert [row["type"] for row in rows] == ["items.completed", "job.completed"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert (rows[0]["job_id"], rows[0]["phase"], rows[0]["run"]) == ("a", "items", 1)
    assert rows[0]["data"]["event_id"] == rows[0]["event_id"]
    assert rows[0]["event_id"] == str(Event.objects.get(job=job, type="items.completed").event_id)


def test_next_leads_through_all_events_and_ends_in_null(worker: Api) -> None:
    for _ in range(3):
        make_job(items=1, done=1)
    pages = [worker.get("/events?limit=4").json()]
    while pages[-1]["next"]:
        pages.append(worker.client.get(pages[-1]["next"]).json())
    assert [len(page["results"]) for page in pages] == [4, 2]
    last = pages[-1]["results"][-1]["id"]
    assert worker.get(f"/events?after={last}").json() == {"results": [], "next": None}


def test_the_feed_is_filtered_by_job_and_type(worker: Api) -> None:
    make_job(items=1, done=1)
    job = make_job(name="b", items=1, done=1)
    assert {row["job_id"] for row in worker.get(f"/events?job={job.pk}").json()["results"]} == {"b"}
    rows = worker.get("/events?type=job.completed").json()["results"]
    assert [row["type"] for row in rows] == ["job.completed"] * 2


def test_the_feed_holds_only_events_of_visible_projects(api: Any) -> None:
    make_job(items=1, done=1, project="red")
    make_job(name="blue", items=1, done=1, project="blue")
    rows = api("viewer", projects=["blue"]).get("/events").json()["results"]
    assert {row["job_id"] for row in rows} == {"blue"}


def test_a_wrong_place_in_the_feed_is_400(worker: Api) -> None:
    for query in ("after=-1", "after=x", f"after={2**63}", "job=x", "limit=0"):
        assert worker.get(f"/events?{query}").status_code == 400
