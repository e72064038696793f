"""Calls of workers: items, announce, claim, report, count, start, finish, fail, heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.models import Item, Job
from tests.factories import item_of, make_job, phase_of
from tests.jobs.api.conftest import Api, on_each_server

pytestmark = on_each_server("view", "daphne", "uvicorn")


def at(job: Job, act: str, phase: str = "items") -> str:
    return f"/jobs/{job.pk}/phases/{phase}/{act}"


def reported(api: Api, job: Job, *results: dict[str, Any], worker: str = "w1") -> dict[str, Any]:
    body: dict[str, Any] = api.post(at(job, "report"), {"worker": worker, "results": list(results)}).json()
    return body


# --- items ---------------------------------------------------------------------------------------


def test_items_are_added_once_by_key(worker: Api) -> None:
    job = make_job(items=1)
    new = {"items": [{"key": "k0"}, {"key": "new", "label": "New", "split": "valid", "payload": {"n": 1}}]}
    assert worker.post(at(job, "items"), new).json() == {"added": 1, "existing": 1}
    assert worker.post(at(job, "items"), new).json() == {"added": 0, "existing": 2}
    assert item_of(job, "new").payload == {"n": 1}


def test_new_items_of_a_finished_phase_are_409_unless_it_is_reopened(worker: Api) -> None:
    job = make_job(items=1, done=1)
    refused = worker.post(at(job, "items"), {"items": [{"key": "new"}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert worker.post(at(job, "items"), {"items": [{"key": "new"}], "reopen": True}).json()["added"] == 1
    assert phase_of(job).run == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["k0", "k1", "k2", "k3"]),
        ("?status=completed", ["k0", "k1"]),
        ("?status=pending&q=3", ["k3"]),
        ("?q=K1", ["k1"]),
        ("?q=cover", ["k2"]),
        ("?split=train", ["k0"]),
        ("?split=none", []),
    ],
)
def test_items_are_listed_in_order_and_filtered(worker: Api, query: str, expected: list[str]) -> None:
    job = make_job(items=4, done=2)
    Item.objects.filter(key="k0").update(split="train")
    Item.objects.filter(key="k2").update(label="Cover page")
    assert [item["key"] for item in worker.get(at(job, "items") + query).json()["results"]] == expected


def test_a_page_of_items_names_the_next_one(worker: Api) -> None:
    job = make_job(items=3)
    first = worker.get(at(job, "items") + "?limit=2").json()
    second = worker.client.get(first["next"]).json()
    assert [item["key"] for item in second["results"]] == ["k2"]
    assert second["next"] is None


# --- announce ------------------------------------------------------------------------------------


def test_a_repeated_announcement_changes_nothing_and_says_why(worker: Api) -> None:
    job, event_id = make_job(), str(uuid4())
    first = worker.post(at(job, "announce"), {"expected": 5, "event_id": event_id}).json()
    assert (first["applied"], first["reason"], first["phase"]["expected"]) == (True, None, 5)
    again = worker.post(at(job, "announce"), {"expected": 6, "event_id": event_id}).json()
    assert (again["applied"], again["reason"], again["phase"]["expected"]) == (False, "duplicate", 5)
    same = worker.post(at(job, "announce"), {"expected": 5}).json()
    assert (same["applied"], same["reason"]) == (False, "same_total")


@pytest.mark.parametrize("name", ["total_images", "total_keyframes", "total_frames"])
def test_a_total_is_announced_under_its_natural_name(worker: Api, name: str) -> None:
    job = make_job()
    body = worker.post(at(job, "announce"), {"event_id": str(uuid4()), name: 7}).json()
    assert body["phase"]["expected"] == 7


def test_two_totals_that_differ_are_400(worker: Api) -> None:
    job = make_job()
    response = worker.post(at(job, "announce"), {"total_keyframes": 7, "total_frames": 8})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "total_keyframes")
    assert phase_of(job).expected is None
    assert worker.post(at(job, "announce"), {"total_keyframes": 7, "total_frames": 7}).status_code == 200


@pytest.mark.parametrize("expected", ["-5", "3.5", '"10"', '"ten"', "true", "null", "[]", "9007199254740993", "1e400"])
def test_a_total_that_is_no_count_is_400_and_nothing_is_stored(worker: Api, expected: str) -> None:
    job = make_job()
    body = f'{{"expected": {expected}}}'
    response = worker.client.post(f"/api/v1{at(job, 'announce')}", body, content_type="application/json")
    assert response.status_code == 400
    assert phase_of(job).expected is None


# --- claim ---------------------------------------------------------------------------------------


def test_a_claim_gives_items_in_order_under_a_lease(worker: Api) -> None:
    job = make_job(items=3)
    body = worker.post(at(job, "claim"), {"worker": "w1", "limit": 2, "lease_seconds": 30}).json()
    assert [(item["key"], item["attempt"]) for item in body["items"]] == [("k0", 1), ("k1", 1)]
    until = datetime.fromisoformat(body["items"][0]["lease_expires_at"])
    assert abs(until - timezone.now() - timedelta(seconds=30)) < timedelta(seconds=10)
    assert item_of(job, "k0").account == worker.account


def test_an_empty_claim_says_why_and_when_to_come_back(worker: Api) -> None:
    job = make_job(items=1)
    worker.post(at(job, "claim"), {"worker": "w1"})
    empty = worker.post(at(job, "claim"), {"worker": "w2"})
    assert (empty.json(), empty.headers["Retry-After"]) == ({"items": [], "reason": "none_pending"}, "2")


def test_the_common_claim_gives_the_oldest_items_of_any_job_with_job_and_phase(worker: Api) -> None:
    first, second = make_job(items=1), make_job(items=1)
    body = worker.post("/claim", {"worker": "w1", "phase": "items"}).json()
    assert [(item["job"], item["phase"]) for item in body["items"]] == [(first.pk, "items"), (second.pk, "items")]
    empty = worker.post("/claim", {"worker": "w1", "phase": "items", "kind": "vision"})
    assert (empty.json()["items"], empty.headers["Retry-After"]) == ([], "2")


def test_the_common_claim_passes_over_invisible_projects(api: Any) -> None:
    make_job(items=1, project="red")
    blue = make_job(items=1, project="blue")
    body = api("worker", projects=["blue"]).post("/claim", {"worker": "w1", "phase": "items"}).json()
    assert [item["job"] for item in body["items"]] == [blue.pk]


# --- report --------------------------------------------------------------------------------------


def test_each_result_has_its_own_outcome(worker: Api) -> None:
    job = make_job(items=3)
    worker.post(at(job, "claim"), {"worker": "w1", "limit": 1})
    body = reported(
        worker,
        job,
        {"key": "k0", "status": "completed", "attempt": 1, "result": {"checksum": "x"}},
        {"key": "k1", "status": "failed", "error": ""},
        {"key": "k2", "status": "completed", "attempt": 9},
        {"key": "unknown", "status": "completed"},
    )
    outcomes = [(result["outcome"], result["status"]) for result in body["results"]]
    assert outcomes == [("applied", "completed"), ("applied", "failed"), ("invalid", "pending"), ("invalid", "")]
    assert "detail" in body["results"][2]
    assert (body["phase"]["done"], body["phase"]["failed"], body["cancel_requested"]) == (1, 1, False)
    assert item_of(job, "k1").error == "unknown error"


def test_a_repeated_report_is_a_duplicate(worker: Api) -> None:
    job = make_job(items=2)
    reported(worker, job, {"key": "k0", "status": "completed"})
    again = reported(worker, job, {"key": "k0", "status": "completed"})
    assert again["results"] == [{"key": "k0", "outcome": "duplicate", "status": "completed"}]
    assert again["phase"]["done"] == 1


def test_a_long_error_is_cut_and_not_refused(worker: Api) -> None:
    job = make_job(items=1)
    reported(worker, job, {"key": "k0", "status": "failed", "error": "x" * 10_000})
    assert len(item_of(job, "k0").error) == 500


def test_the_phase_of_the_answer_is_the_one_that_a_reader_gets(worker: Api) -> None:
    job = make_job(items=3, expected=3)
    body = reported(worker, job, {"key": "k0", "status": "completed"}, {"key": "k1", "status": "failed"})
    read = worker.get(f"/jobs/{job.pk}").json()["phases"][0]
    measured = ("rate_per_minute", "eta_seconds")
    assert {k: v for k, v in body["phase"].items() if k not in measured} == {
        k: v for k, v in read.items() if k not in measured
    }
    assert body["phase"]["current"] == {"key": "k1", "label": "", "payload": {}}
    assert body["phase"]["rate_per_minute"] > 0


def test_a_report_to_a_cancelled_job_is_closed_and_asks_to_stop(worker: Api, lead: Api) -> None:
    job = make_job(items=2)
    lead.post(f"/jobs/{job.pk}/cancel", {"reason": "not wanted"})
    body = reported(worker, job, {"key": "k0", "status": "completed"})
    assert (body["results"][0]["outcome"], body["cancel_requested"]) == ("closed", True)


# --- phases without items --------------------------------------------------------------------------


def test_counts_are_added_once_per_event_id(worker: Api) -> None:
    job, event_id = make_job(expected=10), str(uuid4())
    assert worker.post(at(job, "count"), {"done": 5, "failed": 1, "event_id": event_id}).json()["applied"]
    again = worker.post(at(job, "count"), {"done": 5, "failed": 1, "event_id": event_id}).json()
    assert (again["applied"], again["phase"]["done"], again["phase"]["failed"]) == (False, 5, 1)
    other = worker.post(at(job, "count"), {"done": 6, "event_id": event_id})
    assert (other.status_code, other.json()["code"]) == (409, "event_id_reused")


def test_a_phase_without_items_is_started_and_finished_by_name(worker: Api) -> None:
    job = make_job()
    assert worker.post(at(job, "start")).json()["status"] == "processing"
    worker.post(at(job, "count"), {"done": 2, "event_id": str(uuid4())})
    for _ in range(2):
        finished = worker.post(at(job, "finish")).json()
        assert (finished["status"], finished["expected"], finished["percent"]) == ("completed", 2, 100)


def test_a_phase_without_items_is_failed_with_its_error(worker: Api) -> None:
    job = make_job()
    assert worker.post(at(job, "fail"), {"error": "Out of memory"}).json()["status"] == "failed"
    assert "Out of memory" in worker.get(f"/jobs/{job.pk}").json()["error"]


@pytest.mark.parametrize("act", ["start", "finish", "fail"])
def test_a_phase_with_items_cannot_be_started_or_finished_by_call(worker: Api, act: str) -> None:
    job = make_job(items=1)
    response = worker.post(at(job, act))
    assert (response.status_code, response.json()["code"]) == (409, "wrong_state")


# --- heartbeat -----------------------------------------------------------------------------------


def test_a_heartbeat_renews_what_is_held_and_names_what_is_lost(worker: Api) -> None:
    job = make_job(items=2)
    held = worker.post(at(job, "claim"), {"worker": "w1", "limit": 1}).json()["items"][0]["id"]
    other = item_of(job, "k1").pk
    body = worker.post(f"/jobs/{job.pk}/heartbeat", {"worker": "w1", "items": [held, other]}).json()
    assert (body["job_status"], body["cancel_requested"], body["lost"]) == ("processing", False, [other])
    assert [lease["id"] for lease in body["leases"]] == [held]
