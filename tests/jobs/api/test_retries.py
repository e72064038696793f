"""Automatic retries, logs and attempts on the wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Item, Job, Phase
from tests.factories import item_of, make_job, phase_of
from tests.jobs.api.conftest import Api


def make(api: Api, **fields: Any) -> Job:
    """Create a job of two items whose failures are retried twice, after 600 seconds."""
    body = {"retries": 2, "retry_delay": 600, "items": [{"key": "k0"}, {"key": "k1"}], **fields}
    return Job.objects.get(pk=api.post("/jobs", {"name": "retried", **body}).json()["id"])


def call(api: Api, job: Job, act: str, **body: Any) -> Any:
    return api.post(f"/jobs/{job.pk}/phases/items/{act}", {"worker": "w1", **body})


def fail(api: Api, job: Job, key: str = "k0", **fields: Any) -> dict[str, Any]:
    """Report the failure of an item and return the answer to its result."""
    results = [{"key": key, "status": "failed", "error": "Disk full", **fields}]
    [answer] = call(api, job, "report", results=results).json()["results"]
    return dict(answer)


def attempts(api: Api, job: Job, key: str = "k0") -> list[dict[str, Any]]:
    path = f"/jobs/{job.pk}/phases/items/items/{item_of(job, key).pk}/attempts"
    return list(api.get(path).json()["results"])


def test_the_answer_to_a_failure_says_when_it_is_retried(worker: Api) -> None:
    job = make(worker)
    call(worker, job, "claim")
    answer = fail(worker, job, attempt=1)
    due = datetime.fromisoformat(answer["available_at"])
    assert (answer["outcome"], answer["status"]) == ("applied", "pending")
    assert timedelta(seconds=470) < due - timezone.now() < timedelta(seconds=721)
    assert fail(worker, job, attempt=1)["outcome"] == "duplicate"
    assert "available_at" not in fail(worker, job, "k1", retry=False)


def test_an_empty_claim_gives_the_time_of_the_first_retry(worker: Api) -> None:
    job = make(worker)
    call(worker, job, "claim")
    fail(worker, job, "k0", retry_after=100)
    fail(worker, job, "k1", retry_after=900)
    common = {"worker": "w1", "phase": "items"}
    for empty in (call(worker, job, "claim"), worker.post("/claim", common)):
        assert empty.json() == {"items": [], "reason": "retry_wait"}
        assert 90 <= int(empty.headers["Retry-After"]) <= 100
    Item.objects.filter(key="k0").update(available_at=timezone.now())
    Phase.objects.update(next_due_at=timezone.now())
    [item] = call(worker, job, "claim").json()["items"]
    assert (item["key"], item["attempt"], item["failures"], item["last_error"]) == ("k0", 2, 1, "Disk full")


def test_an_item_that_never_failed_is_claimed_without_failures(worker: Api) -> None:
    items = call(worker, make(worker), "claim").json()["items"]
    assert not [item for item in items if "failures" in item or "last_error" in item]


def test_items_and_phases_show_their_retries(worker: Api) -> None:
    job = make(worker)
    fail(worker, job)
    [first, second] = worker.get(f"/jobs/{job.pk}/phases/items/items").json()["results"]
    [phase] = worker.get(f"/jobs/{job.pk}").json()["phases"]
    assert (first["status"], first["failures"], first["error"]) == ("pending", 1, "Disk full")
    assert first["available_at"] == phase["next_retry_at"]
    assert (second["failures"], second["available_at"]) == (0, None)
    assert (phase["retries"], phase["retry_delay"], phase["retry_delay_max"], phase["waiting"]) == (2, 600, 3600, 1)
    assert (phase["pending"], phase["failed"]) == (2, 0)


def test_a_phase_overrides_the_retries_of_its_job(worker: Api) -> None:
    phases = [{"code": "a", "retries": 5, "retry_delay": 1, "retry_delay_max": 604_800}, {"code": "b"}]
    job = make(worker, phases=phases, items=None)
    assert list(job.phases.values_list("retries", "retry_delay", "retry_delay_max")) == [
        (5, 1, 604_800),
        (2, 600, 3600),
    ]


# --- attempts ----------------------------------------------------------------------------------------


def test_the_attempts_of_an_item_are_listed_newest_first(worker: Api) -> None:
    job = make(worker)
    links = [{"label": "Log of w1", "url": "https://logs.example/1?a=b#c"}]
    call(worker, job, "claim")
    fail(worker, job, attempt=1, log="one\r\ntwo\n", links=links, retry_after=0)
    call(worker, job, "claim")
    call(worker, job, "report", results=[{"key": "k0", "status": "pending", "attempt": 2}])
    newest, oldest = attempts(worker, job)
    assert [(each["number"], each["outcome"], each["worker"]) for each in (newest, oldest)] == [
        (2, "given_back", "w1"),
        (1, "failed", "w1"),
    ]
    assert (oldest["error"], oldest["log"], oldest["links"]) == ("Disk full", "one\r\ntwo\n", links)
    assert oldest["account"] == worker.account.username
    assert oldest["started_at"] < oldest["ended_at"] <= newest["started_at"]
    assert attempts(worker, job, "k1") == []


def test_of_a_long_log_the_end_is_kept_and_its_beginning_is_marked(worker: Api) -> None:
    job = make(worker)
    fail(worker, job, log="begin" + "ä" * 20_000 + "the end")
    [kept] = attempts(worker, job)
    assert kept["log"].startswith("[The beginning of this log was cut.]\nä")
    assert kept["log"].endswith("the end")
    assert 16 * 1024 - 2 <= len(kept["log"].encode()) <= 16 * 1024


def test_a_log_of_16_kib_is_kept_whole(worker: Api) -> None:
    job = make(worker)
    fail(worker, job, log="x" * 16 * 1024)
    assert attempts(worker, job)[0]["log"] == "x" * 16 * 1024


@pytest.mark.parametrize("item", [0, 2**60, 2**80])
def test_attempts_of_an_item_that_is_not_there_are_404(worker: Api, item: int) -> None:
    assert worker.get(f"/jobs/{make(worker).pk}/phases/items/items/{item}/attempts").status_code == 404


def test_attempts_are_read_within_the_projects_of_the_account(api: Any) -> None:
    job = make_job(items=1, failed=1, project="a")
    path = f"/jobs/{job.pk}/phases/items/items/{item_of(job, 'k0').pk}/attempts"
    assert [api("viewer", projects=[name]).get(path).status_code for name in ("a", "b")] == [200, 404]


def test_an_item_of_another_phase_has_no_attempts_here(worker: Api) -> None:
    job, other = make(worker), make_job(items=1, failed=1)
    path = f"/jobs/{job.pk}/phases/items/items/{item_of(other, 'k0').pk}/attempts"
    assert worker.get(path).status_code == 404


# --- the act -----------------------------------------------------------------------------------------


def test_retries_are_changed_for_failures_from_now_on(worker: Api, lead: Api) -> None:
    job = make_job(items=2)
    fail(worker, job, "k0")
    answer = lead.post(f"/jobs/{job.pk}/retries", {"phase": "items", "retries": 3, "retry_delay": 5}).json()
    assert (answer["changed"], answer["detail"]) == (1, "The retries of items: 3 retries after 5 s to 1 h.")
    assert [item_of(job, key).status for key in ("k0", "k1")] == ["failed", "pending"]
    assert fail(worker, job, "k1")["status"] == "pending"
    again = lead.post(f"/jobs/{job.pk}/retries", {"phase": "items", "retries": 3}).json()
    assert (again["changed"], again["detail"]) == (0, "The retries of items are 3 retries after 5 s to 1 h already.")


def test_a_first_delay_beyond_the_longest_is_refused(lead: Api) -> None:
    job = make_job(items=1)
    response = lead.post(f"/jobs/{job.pk}/retries", {"phase": "items", "retries": 3, "retry_delay": 9999})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "retry_delay")
    assert phase_of(job).retries == 0


def test_operators_change_retries_and_workers_do_not(api: Any) -> None:
    job = make_job(items=1)
    body = {"phase": "items", "retries": 1}
    codes = {
        role: api(role).post(f"/jobs/{job.pk}/retries", body).status_code for role in ("viewer", "worker", "operator")
    }
    assert codes == {"viewer": 403, "worker": 403, "operator": 200}
