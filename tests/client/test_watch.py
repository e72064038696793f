"""Watching a job: states as they come, over breaks, until the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from email.message import Message
from io import BytesIO
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from progress_client import Client, NotFound, Unavailable, backoff, job_watch
from progress_client.transport import RetryableError

from tests.client.grounds import network
from tests.examples.site import Site, eventually

Another = Callable[..., Client]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "LONGEST", 0.2)


def heard(states: Iterator[dict[str, Any]], into: list[dict[str, Any]]) -> Thread:
    thread = Thread(target=lambda: into.extend(states))
    thread.start()
    return thread


def report(client: Client, name: str, key: str) -> None:
    client.job(name).report([{"key": key, "status": "completed"}])


def test_states_come_in_order_and_end_with_the_job(client: Client, another: Another, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    states = job.watch()
    assert next(states)["status"] == "pending"
    report(another(), name, "a")
    assert next(states)["percent"] == 50
    report(another(), name, "b")
    *_, last = states
    assert (last["status"], job.status) == ("completed", "completed")


def test_a_job_that_is_over_gives_its_last_state(client: Client, another: Another, name: str) -> None:
    job = client.job(name, items=["a"])
    report(client, name, "a")
    assert [body["status"] for body in job.watch()] == ["completed"]


def test_a_break_is_bridged_and_nothing_comes_twice(client: Client, another: Another, site: Site, name: str) -> None:
    found: list[dict[str, Any]] = []
    client.job(name, items=["a", "b"])
    with network(site) as proxy:
        thread = heard(another(proxy.url).job(name).watch(), found)
        eventually(lambda: found or time.sleep(0.2) or True, what="the stream")
        proxy.cut()
        report(client, name, "a")
        proxy.mode = "pass"
        time.sleep(0.5)
        report(client, name, "b")
        thread.join(10)
    revisions = [body["revision"] for body in found]
    assert revisions == sorted(set(revisions))
    assert found[-1]["status"] == "completed"


def test_a_server_that_stays_away_is_unavailable(another: Another, site: Site, name: str) -> None:
    with network(site) as proxy:
        client = another(proxy.url)
        job = client.job(name, items=["a"])
        client._session.retry_for = 0.3
        proxy.cut()
        with pytest.raises(Unavailable):
            list(job.watch())


def test_a_closed_client_watches_no_more(another: Another, name: str) -> None:
    client = another()
    states = client.job(name, items=["a"]).watch()
    next(states)
    Thread(target=client.close).start()
    begun = time.monotonic()
    assert list(states) == []
    assert time.monotonic() - begun < 3


def test_a_job_that_is_not_there_is_not_found(client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    job.id += 1_000_000
    with pytest.raises(NotFound):
        next(job.watch())


class Stream(BytesIO):
    """The response of a server that closes the stream with a reason."""

    status = 200

    def __init__(self, code: int) -> None:
        self.headers = Message()
        self.headers["Content-Type"] = "text/event-stream"
        super().__init__(b'event: closing\ndata: {"type": "closing", "code": %d, "reason": "Why."}\n\n' % code)


@pytest.mark.parametrize(("code", "pause"), [(4429, 30.0), (4401, 0.0)])
def test_a_stream_that_the_server_closes_is_opened_again_after_a_pause_where_only_that_helps(
    code: int, pause: float
) -> None:
    transport: Any = SimpleNamespace(streaming=lambda *_, **__: nullcontext(Stream(code)))
    with pytest.raises(RetryableError, match=r"closed the stream: Why\.") as closed:
        list(job_watch._stream(transport, 7, last=""))
    assert closed.value.retry_after == pause
