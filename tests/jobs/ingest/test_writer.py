"""The writer: what waits shares a transaction, and no call spoils, delays or overloads the others."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from jobs.models import Item, Job
from jobs.tracking import transitions, writer
from tests.factories import item_of, make_job, phase_of
from tests.jobs.api.conftest import Api
from tests.jobs.ingest.conftest import Site
from tests.jobs.races.concurrency import locked, until


def report(job: Job, number: int, **more: Any) -> tuple[str, Any]:
    """Return the address and body of a report of one item."""
    results = [{"key": f"k{number}", "status": "completed", **more}]
    return f"/jobs/{job.pk}/phases/items/report", {"worker": "w1", "results": results}


@pytest.fixture
def worker(site: Site) -> Api:
    """A worker whose token is known already."""
    made = Api("worker")
    site.post("/claim", {"worker": "w1", "phase": "none"}, secret=made.secret)
    return made


@pytest.fixture
def transactions_of(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The jobs of each transaction of the writer."""
    seen: list[set[int]] = []
    change_free = writer.change_free

    def counted(job_ids: set[int], **options: Any) -> Any:
        seen.append(set(job_ids))
        return change_free(job_ids, **options)

    monkeypatch.setattr(writer, "change_free", counted)
    return seen


def test_calls_of_every_verb_and_job_that_wait_together_share_a_transaction(
    site: Site, worker: Api, transactions_of: list[set[int]]
) -> None:
    jobs = [make_job(items=3) for _ in range(4)]
    path = f"/jobs/{jobs[0].pk}"
    requests = [report(job, n) for job in jobs for n in range(2)]
    requests += [(f"{path}/heartbeat", {"worker": "w1"}), (f"{path}/phases/items/claim", {"worker": "w2"})]
    answers = site.at_once(*(site.request(*request, secret=worker.secret) for request in requests))
    assert [answer.status for answer in answers] == [200] * len(requests)
    assert [phase_of(job).done for job in jobs] == [2] * 4
    assert len(answers[-1].json()["items"]) == 1
    assert len(transactions_of) <= 3  # the first call, what came meanwhile, and a late one
    assert {job.pk for job in jobs} in transactions_of


def test_a_call_with_a_defect_spoils_none_of_its_neighbours(
    site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(items=20)
    apply = transitions.apply

    def broken(item: Any, *rest: Any) -> Any:
        if item.key == "k7":
            raise ZeroDivisionError
        return apply(item, *rest)

    monkeypatch.setattr(transitions, "apply", broken)
    answers = site.at_once(*(site.request(*report(job, n), secret=worker.secret) for n in range(20)))
    assert [answer.status for answer in answers] == [200] * 7 + [418] + [200] * 12
    assert (phase_of(job).done, item_of(job, "k7").status) == (19, "pending")


def test_more_than_may_wait_is_503_with_retry_after(site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 5)
    job = make_job(items=20)
    answers = site.at_once(*(site.request(*report(job, n), secret=worker.secret) for n in range(20)))
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) >= 10
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    assert refused[0].json()["code"] == "unavailable"
    assert phase_of(job).done == 20 - len(refused)
    assert (site.writer._bytes, site.writer._sizes) == (0, {})


def test_bodies_that_are_too_large_together_are_503(site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_BYTES", 1000)
    job = make_job(items=4)
    large = [report(job, n, result={"text": "x" * 600}) for n in range(4)]
    answers = site.at_once(*(site.request(*request, secret=worker.secret) for request in large))
    assert {answer.status for answer in answers} == {200, 503}


def test_where_the_database_fails_every_waiting_call_is_503_and_the_next_one_is_made(
    site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(items=3)

    def down(*args: Any, **options: Any) -> Any:
        raise OperationalError("the database is down")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "change_free", down)
        answers = site.at_once(*(site.request(*report(job, n), secret=worker.secret) for n in range(3)))
    assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "5")}
    assert site.post(*report(job, 0), secret=worker.secret).status == 200


@pytest.mark.postgres
def test_a_locked_job_delays_no_other_job_and_its_calls_are_made_once_it_is_free(site: Site, worker: Api) -> None:
    busy, other = make_job(items=20), make_job(items=20)

    def answered() -> bool:
        return phase_of(other).done == 20

    with locked(busy) as free:

        def release() -> None:
            until(answered)
            free.set()
            connections.close_all()

        thread = Thread(target=release)
        thread.start()
        requests = [report(job, n) for n in range(20) for job in (busy, other)]
        answers = site.at_once(*(site.request(*request, secret=worker.secret) for request in requests))
        thread.join()
    assert {answer.status for answer in answers} == {200}
    assert [phase_of(job).done for job in (busy, other)] == [20, 20]


@pytest.mark.postgres
def test_a_lock_that_is_not_to_be_had_is_503(site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(items=3)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "lock_timeout", "200ms")
    with locked(job):
        answers = site.at_once(*(site.request(*report(job, n), secret=worker.secret) for n in range(3)))
    assert {answer.status for answer in answers} == {503}
    assert not Item.objects.exclude(status="pending").exists()
    assert site.writer._locked == {}


def test_a_call_that_comes_while_the_writer_is_about_to_end_is_made(
    site: Site, worker: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_SECONDS", 0.0)
    job = make_job(items=100)
    for number in range(100):
        assert site.post(*report(job, number), secret=worker.secret).status == 200


def test_a_worker_that_waits_for_work_takes_no_lock(site: Site, worker: Api, transactions_of: list[set[int]]) -> None:
    job = make_job(items=1)
    claim = f"/jobs/{job.pk}/phases/items/claim", {"worker": "w1"}
    given = [len(site.post(*claim, secret=worker.secret).json()["items"]) for _ in range(5)]
    assert given == [1, 0, 0, 0, 0]
    assert len(transactions_of) == 2  # the claim that gave the item, and the first that found none
    phase_of(job).items.update(status="pending", lease_expires_at=None)
    phase_of(job).job.phases.update(processing=0)
    assert len(site.post(*claim, secret=worker.secret).json()["items"]) == 1
