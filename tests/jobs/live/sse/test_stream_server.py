"""Streams of the real server: a client that does not read costs nothing, and a server that stops ends them."""

from __future__ import annotations

import socket
import time
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.db import event_order
from jobs.models import Event, Job
from tests.factories import make_job
from tests.jobs.live.server import LiveServer, serving
from tests.jobs.live.sse.conftest import token
from tests.jobs.live.sse.listener import Listener
from tests.plan import size

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = size(10_000, full=20_000)
BYTES_EACH = 2_000


def test_a_server_that_stops_ends_its_streams_at_once() -> None:
    job, secret = make_job(items=1), token("view_job")
    with serving() as server:
        streams = [Listener(server, path, token=secret) for path in (f"/jobs/{job.pk}/stream", "/stream")]
        assert [stream.hear()["event"] for stream in streams] == ["snapshot"] * 2
        began = time.monotonic()
        server.process.terminate()
        assert [stream.hear() for stream in streams] == [{}, {}]
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 5


@pytest.mark.full
def test_what_a_listener_does_not_read_waits_in_the_database() -> None:
    job, secret = make_job(items=1), token("view_job")
    Event.objects.bulk_create(_event(job, number) for number in event_order.next_ids(EVENTS, outward=True))
    with serving() as server:
        first = Listener(server, "/events", token=secret)
        assert first.hear()
        first.leave()
        before = server.mebibytes()
        with socket.create_connection(tuple(server.address.split(":"))) as deaf:
            request = f"GET /api/v1/events HTTP/1.1\r\nHost: {server.address}\r\nAccept: text/event-stream\r\n"
            deaf.sendall(f"{request}Authorization: Bearer {secret}\r\n\r\n".encode())
            wait_until_idle(server)
            assert server.mebibytes() - before < EVENTS * BYTES_EACH / 2**20 / 2


def wait_until_idle(server: LiveServer) -> None:
    """Wait until the server has nothing to do but its few periodic looks."""
    before, now = -1.0, server.processor_seconds()
    until = time.monotonic() + 30
    while now - before > 0.05:
        assert time.monotonic() < until, "it never had nothing to do"
        time.sleep(0.5)
        before, now = now, server.processor_seconds()


def _event(job: Job, number: int) -> Event:
    event_id = uuid4()
    data = {"job_id": job.name, "event_id": str(event_id), "keys": ["x" * BYTES_EACH], "count": 1}
    what = {"type": "item.retry_requested", "outward": True, "data": data}
    return Event(id=number, event_id=event_id, job=job, at=timezone.now(), **what)
