"""The example listener as a process: each completion once, from the feed and from the broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pika
import pytest
from django.conf import settings

from examples import completion_listener
from examples.connection import Connection
from jobs.inbox.topology import dead_queue, declare_consumer
from tests.examples.site import ROOT, Site, eventually, lines_of, serving, terminate, working


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker(settings.AMQP_URL)
    yield made
    made.close()


class Broker:
    """RabbitMQ, and the queue of one listener there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.queue = f"q.test.{uuid4().hex}"
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()
        completion_listener.declare(self.channel, self.queue)

    def publish(self, type: str, body: bytes) -> None:
        """One message to everybody who wants it."""
        self.channel.basic_publish(completion_listener.EXCHANGE, type, body, mandatory=True)

    def waiting(self, queue: str) -> int:
        """Count the ready messages."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def close(self) -> None:
        """Remove what is its own."""
        self.channel.queue_delete(self.queue)
        self.channel.queue_delete(dead_queue(self.queue))
        self._connection.close()


def listener(folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Start the listener; its lines are its stdout."""
    command = [sys.executable, "examples/completion_listener.py", "--seen", str(folder / "seen")]
    own = {name: value for name, value in os.environ.items() if name != "AMQP_URL"}
    return subprocess.Popen(command, cwd=ROOT, env={**own, **variables}, stdout=subprocess.PIPE, text=True)


def at_the_feed(site: Site, folder: Path) -> subprocess.Popen[str]:
    return listener(folder, PROGRESS_URL=site.url, PROGRESS_TOKEN=site.token)


def complete(site: Site, name: str) -> None:
    """A job of one item, completed."""
    server = Connection(site.url, token=site.token, stop=Event())
    job = server.post("/jobs", {"name": name, "items": [{"key": "a"}]})
    server.post(f"/jobs/{job['id']}/phases/items/report", {"results": [{"key": "a", "status": "completed"}]})


def printed(folder: Path, number: int) -> bool:
    """Does the listener remember so many?"""
    file = folder / "seen"
    return file.exists() and len(file.read_text().splitlines()) == number


def event(**fields: Any) -> bytes:
    """A completion as the broker delivers it."""
    data = {"total_assets": 20, "processed_assets": 18, "has_partial_completion": True}
    body = {"event_id": str(uuid4()), "type": "items.completed", "job_id": "a", "occurred_at": "now", "data": data}
    return json.dumps({**body, **fields}).encode()


def test_each_completion_of_the_feed_is_printed_once_whatever_is_restarted(site: Site, tmp_path: Path) -> None:
    complete(site, "first")
    first = at_the_feed(site, tmp_path)
    with working([first]):
        eventually(lambda: printed(tmp_path, 2), what="the first completion")
        complete(site, "second")
        eventually(lambda: printed(tmp_path, 4), what="the second completion")
        site.kill()
        site.start()
        complete(site, "third")
        eventually(lambda: printed(tmp_path, 6), what="the third completion, after the server was killed")
        terminate(first)
        lines = lines_of(first).splitlines()
    complete(site, "fourth")
    second = at_the_feed(site, tmp_path)
    with working([second]):
        eventually(lambda: printed(tmp_path, 8), what="the completion without a listener")
        terminate(second)
        lines += lines_of(second).splitlines()
    names = ["first", "second", "third", "fourth"]
    ends = [f"{name}: {what}" for name in names for what in ("items.completed, 1 of 1", "job.completed")]
    assert [line.partition(" ")[2] for line in lines] == ends


def test_a_refused_listener_says_why_and_ends(site: Site, tmp_path: Path) -> None:
    refused = listener(tmp_path, PROGRESS_URL=site.url, PROGRESS_TOKEN="wrong")
    with working([refused]):
        refused.wait(30)
    assert refused.returncode == 1


def test_a_line_that_was_torn_by_a_crash_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "seen"
    file.write_text("7 aaa\n9 bbb\n12")
    memory = completion_listener.Memory(file)
    assert (memory.last, {"event_id": "bbb"} in memory, {"event_id": "12"} in memory) == (9, True, False)
    memory.add({"event_id": "ccc", "id": 10})
    assert file.read_text() == "7 aaa\n9 bbb\n10 ccc\n"


@pytest.mark.rabbitmq
def test_each_completion_of_the_broker_is_printed_once(broker: Broker, tmp_path: Path) -> None:
    name = uuid4().hex
    twice = event(job_id=name)
    for body in (twice, twice, b"no event", event(job_id=name, type="job.completed", data={})):
        broker.publish("items.completed", body)
    command = [f"--queue={broker.queue}", f"--seen={tmp_path / 'seen'}", f"--amqp={broker.url}"]
    process = subprocess.Popen(
        [sys.executable, "examples/completion_listener.py", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with working([process]):
        eventually(lambda: broker.waiting(dead_queue(broker.queue)) == 1, what="the dead letter")
        eventually(lambda: printed(tmp_path, 2), what="both completions")
        terminate(process)
        lines = [line for line in lines_of(process).splitlines() if name in line]
    assert lines == [f"now {name}: items.completed, 18 of 20, partial", f"now {name}: job.completed"]
    assert broker.waiting(broker.queue) == 0


@pytest.mark.rabbitmq
def test_the_listener_makes_its_queue_as_every_consumer_does(broker: Broker) -> None:
    declare_consumer(broker.channel, broker.queue, ["#.completed"])
