"""The wire's verbs, by the wire's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from progress_client import Client, NotPermitted, Unavailable, WrongState

from tests.client.grounds import network, phase_of
from tests.examples.site import Site, eventually

Another = Callable[..., Client]


def test_a_phase_without_items_is_announced_started_counted_and_finished(client: Client, site: Site, name: str) -> None:
    job = client.job(name, phases=[{"code": "fit"}])
    assert job.announce(10)["applied"] is True
    assert job.start()["status"] == "processing"
    event_id = uuid4()
    assert [job.count(done=4, event_id=event_id)["applied"] for _ in range(2)] == [True, False]
    assert job.count(failed=1, phase="fit")["phase"]["failed"] == 1
    assert job.finish()["status"] == "completed"
    assert phase_of(site, name)["done"] == 4


def test_a_phase_can_fail(client: Client, name: str) -> None:
    job = client.job(name, phases=[{"code": "fit"}])
    assert job.fail("out of memory")["status"] == "failed"
    assert job.refresh().status == "failed"


def test_a_report_and_a_heartbeat_answer_as_the_server_does(client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    held = next(iter(job.claim(batch=1)))
    assert [lease["id"] for lease in job.heartbeat(message="half way")["leases"]] == [held.id]
    answer = job.report([{"key": "b", "status": "completed"}, {"key": "?", "status": "failed", "error": "no"}])
    assert [row["outcome"] for row in answer["results"]] == ["applied", "invalid"]
    assert job.progress()["processed"] == 1
    assert job.errors() == []
    assert job.timeline()["results"][-1]["type"] == "job.created"


def test_the_progress_of_a_long_item_goes_with_the_next_heartbeat(client: Client, name: str) -> None:
    job = client.job(name, items=["a"], stalled_after=5, expected_seconds=3600)
    [held] = job.claim(lease_seconds=1, wait=False)
    held.progress(40)
    with client_heartbeats(client) as bodies:
        eventually(lambda: any(body.get("progress") == 40 for body in bodies), what="the progress")
    for wrong in (-1, 101, 0.5, True):
        with pytest.raises(ValueError, match="from 0 to 100"):
            held.progress(wrong)
    held.complete()
    assert job.refresh().body["due_at"] is not None


@contextmanager
def client_heartbeats(client: Client) -> Iterator[list[dict[str, Any]]]:
    """Collect the bodies of the heartbeats that this client sends by itself."""
    transport, sent = client._session.transport, []
    once = transport.once

    def recorded(method: str, path: str, body: bytes) -> Any:
        answer = once(method, path, body)
        sent.append(json.loads(body))
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transport, "once", recorded)
        yield sent


def test_a_due_time_is_changed_and_removed(client: Client, another: Another, operator: str, name: str) -> None:
    mine = client.job(name, items=["a"], due_at=datetime(2031, 1, 2, tzinfo=UTC))
    assert mine.body["due_at"] == "2031-01-02T00:00:00Z"
    job = another(token=operator).open(mine.id)
    assert job.due("2031-01-03T00:00:00Z", reason="Agreed.")["job"]["due_at"] == "2031-01-03T00:00:00Z"
    assert job.due(expected_seconds=60)["job"]["expected_seconds"] == 60
    assert job.due()["job"]["due_at"] is None
    with pytest.raises(ValueError, match="time zone"):
        job.due(datetime(2031, 1, 2))


def test_operators_act_with_a_reason_and_others_are_refused(
    client: Client, another: Another, operator: str, name: str
) -> None:
    mine = client.job(name, items=["a", "b", "c"])
    mine.report([{"key": "a", "status": "failed", "error": "disk 7"}])
    job = another(token=operator).open(mine.id)
    assert job.retry(error_signature="disk #", reason="a new disk")["changed"] == 1
    assert job.lift(worker="w1")["changed"] == 0
    assert job.pause()["job"]["status"] == "paused"
    assert job.resume()["changed"] == 1
    assert job.threshold(50)["job"]["phases"][0]["threshold"] == 50
    [first, *_] = [item["id"] for item in job.items()]
    assert job.skip([first])["changed"] == 1
    assert job.release()["changed"] == 0
    assert job.force_complete(reason="enough")["job"]["status"] == "completed"
    assert job.restart(only="all")["job"]["phases"][0]["run"] == 2
    assert job.give_up(reason="no")["job"]["status"] == "failed"
    assert job.cancel()["job"]["status"] == "cancelled"
    with pytest.raises(WrongState):
        job.pause()
    with pytest.raises(NotPermitted, match="permission"):
        mine.retry()


def test_numbers_that_could_not_be_told_are_told_later_and_once(another: Another, site: Site, name: str) -> None:
    with network(site) as proxy:
        client = another(proxy.url)
        job = client.job(name, phases=[{"code": "fit"}])
        client._session.retry_for = 0.2
        proxy.cut()
        with pytest.raises(Unavailable):
            job.count(done=3)
        proxy.mode = "pass"
        eventually(lambda: phase_of(site, name)["done"] == 3, what="the numbers")
        assert client.flush()
    assert phase_of(site, name)["done"] == 3


def test_numbers_whose_answer_was_lost_are_counted_once(another: Another, site: Site, name: str) -> None:
    with network(site) as proxy:
        client = another(proxy.url)
        job = client.job(name, phases=[{"code": "fit"}])
        client._session.retry_for = 0.2
        proxy.mode = "deaf"
        with pytest.raises(Unavailable):
            job.count(done=3)
        assert phase_of(site, name)["done"] == 3
        proxy.mode = "pass"
        assert client.flush()
    assert phase_of(site, name)["done"] == 3


def test_outcomes_that_are_told_go_together_and_count_once(client: Client, site: Site, name: str) -> None:
    job = client.job(name, phases=[{"code": "frames"}])
    for key in ("a", "b", "a"):
        job.tell(key, result={"width": 3})
    job.tell("c", status="failed", error="broken")
    assert client.flush()
    phase = phase_of(site, name)
    assert (phase["done"], phase["failed"], phase["expected"]) == (2, 1, None)
