"""Deadlines over REST: at creation, by the act `due`, and in heartbeats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.models import Job, Worker
from tests.factories import make_job
from tests.jobs.api.conftest import Api

LATEST = {"due_at": "2026-11-21T18:00:00Z"}


def test_a_new_job_takes_a_due_time_in_any_zone_and_limits(worker: Api) -> None:
    given = {"due_at": "2026-11-21T19:00:00+01:00", "silent_after": 5, "stalled_after": 31_536_000}
    body = worker.post("/jobs", {"name": "b", **given}).json()
    assert (body["late"], body["due_at"], body["expected_seconds"]) == (False, "2026-11-21T18:00:00Z", None)
    job = Job.objects.get()
    assert (job.silent_after, job.stalled_after, job.silent_limit) == (5, 31_536_000, 5)


def test_expected_seconds_become_a_due_time_with_the_start(worker: Api) -> None:
    body = worker.post("/jobs", {"name": "b", "items": [{"key": "a"}], "expected_seconds": 3600}).json()
    assert (body["due_at"], body["expected_seconds"]) == (None, 3600)
    worker.post(f"/jobs/{body['id']}/phases/items/claim", {"worker": "w1"})
    job = Job.objects.get()
    assert (job.due_at - job.started_at).total_seconds() == 3600


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"due_at": "2026-11-21T18:00:00"}, "due_at"),
        ({"due_at": "tomorrow"}, "due_at"),
        ({"due_at": 7}, "due_at"),
        ({"due_at": "9999-12-31T23:59:59-12:00"}, "due_at"),
        ({"due_at": "0001-01-01T00:00:00+12:00"}, "due_at"),
        ({"expected_seconds": 0}, "expected_seconds"),
        ({"expected_seconds": -1}, "expected_seconds"),
        ({"expected_seconds": 1.5}, "expected_seconds"),
        ({"expected_seconds": 31_536_001}, "expected_seconds"),
        ({**LATEST, "expected_seconds": 5}, "due_at"),
    ],
)
def test_a_wrong_due_time_is_refused_at_creation_and_by_the_act(
    worker: Api, lead: Api, wrong: dict[str, Any], field: str
) -> None:
    job = make_job(items=2, done=1)
    for refused in (worker.post("/jobs", {"name": "b", **wrong}), lead.post(f"/jobs/{job.pk}/due", wrong)):
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)
    assert Job.objects.get().due_at is None


@pytest.mark.parametrize("name", ["silent_after", "stalled_after"])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, "10", 31_536_001])
def test_a_wrong_limit_is_refused_for_a_job_and_for_a_phase(worker: Api, name: str, wrong: Any) -> None:
    for body, field in (({name: wrong}, name), ({"phases": [{"code": "p", name: wrong}]}, f"phases[0].{name}")):
        refused = worker.post("/jobs", {"name": "b", **body})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)
    assert not Job.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("worker", 403), ("operator", 200), ("lead", 200)])
def test_operators_and_leads_change_due_times(api: Any, role: str, status: int) -> None:
    job = make_job(items=2, done=1)
    answer = api(role).post(f"/jobs/{job.pk}/due", {**LATEST, "reason": "The customer agreed."})
    assert answer.status_code == status
    job.refresh_from_db()
    assert job.due_at == (datetime(2026, 11, 21, 18, tzinfo=UTC) if status == 200 else None)


def test_the_act_answers_with_the_job_and_without_a_time_removes_it(lead: Api) -> None:
    job = make_job(items=2, done=1)
    body = lead.post(f"/jobs/{job.pk}/due", LATEST).json()
    assert (body["changed"], body["job"]["due_at"]) == (1, "2026-11-21T18:00:00Z")
    assert body["detail"] == f"The due time of {job.name} is 2026-11-21 18:00:00 UTC (was none)."
    assert lead.post(f"/jobs/{job.pk}/due", LATEST).json()["changed"] == 0
    assert lead.post(f"/jobs/{job.pk}/due", {}).json()["job"]["due_at"] is None


def test_a_finished_job_keeps_its_due_time(lead: Api) -> None:
    job = make_job(items=1, done=1)
    answer = lead.post(f"/jobs/{job.pk}/due", LATEST)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_a_heartbeat_carries_progress(worker: Api) -> None:
    job = make_job(items=2, done=1)
    assert worker.post(f"/jobs/{job.pk}/heartbeat", {"worker": "w1", "progress": 40}).status_code == 200
    assert Worker.objects.get(owner=worker.account.pk).progress == 40
    for wrong in (-1, 101, 1.5, "40"):
        refused = worker.post(f"/jobs/{job.pk}/heartbeat", {"worker": "w1", "progress": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "progress")
