"""Hints from any thread and process, without blocking the caller."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any

import pytest

from jobs.live import broadcast

ROOT = Path(__file__).resolve().parents[3]
ANOTHER_PROCESS = """
import django, sys
django.setup()
from jobs.live import broadcast
for line in sys.stdin:
    broadcast.touch([int(line)])
"""

Heard = asyncio.Queue[frozenset[int]]


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """Return the hints that a listener on this loop receives."""
    hints: Heard = asyncio.Queue()
    task = asyncio.create_task(broadcast.listen(hints.put_nowait))
    await asyncio.sleep(0)
    yield hints
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def next_of(heard: Heard) -> frozenset[int]:
    """Return the next hint."""
    async with asyncio.timeout(5):
        return await heard.get()


async def test_a_hint_of_another_thread_wakes_the_loop_at_once(heard: Heard) -> None:
    began = time.monotonic()
    Thread(target=broadcast.touch, args=[[7, 8]]).start()
    assert await next_of(heard) == {7, 8}
    assert time.monotonic() - began < 1


async def test_hints_of_the_same_moment_arrive_together(heard: Heard) -> None:
    for job_id in (1, 2, 1, 3):
        broadcast.touch([job_id])
    assert await next_of(heard) == {1, 2, 3}
    assert heard.empty()


async def test_an_empty_hint_wakes_no_listener(heard: Heard) -> None:
    broadcast.touch([])
    await asyncio.sleep(0.05)
    assert heard.empty()


def test_a_listener_whose_loop_was_closed_is_forgotten() -> None:
    loop = asyncio.new_event_loop()

    async def register() -> broadcast.Listener:
        return broadcast.Listener(lambda ids: None)

    listener = loop.run_until_complete(register())
    loop.close()
    broadcast._listeners.add(listener)
    broadcast.touch([1])
    assert listener not in broadcast._listeners


@pytest.fixture
def dead_layer(settings: Any) -> None:
    """A channel layer that does not answer."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "tests.jobs.live.layers.DeadLayer"}}


def until_down(publisher: broadcast.Publisher) -> None:
    """Wait until a publisher has failed."""
    while not publisher._is_down:
        time.sleep(0.01)


async def test_a_dead_channel_layer_neither_delays_nor_fails_a_change(dead_layer: None, heard: Heard) -> None:
    began = time.monotonic()
    for job_id in range(1000):
        broadcast.touch([job_id])
    assert time.monotonic() - began < 0.5
    assert await next_of(heard) == frozenset(range(1000))
    # Its publisher's failure must not be logged during the next test.
    await asyncio.wait_for(asyncio.to_thread(until_down, broadcast._publisher), 5)


async def test_the_loss_of_the_channel_layer_is_logged_once(dead_layer: None, caplog: Any) -> None:
    publisher = broadcast.Publisher()
    loop = asyncio.new_event_loop()
    with caplog.at_level("WARNING"):
        for _ in range(3):
            await asyncio.to_thread(publisher._publish, loop, frozenset({1}))
    loop.close()
    assert caplog.text.count("hints_not_published") == 1


@pytest.fixture
def another_process() -> Iterator[IO[str]]:
    """A process that touches each job whose id it reads."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        yield other.stdin
        other.stdin.close()


@pytest.mark.redis
async def test_a_hint_of_another_process_arrives_through_redis(heard: Heard, another_process: IO[str]) -> None:
    async with asyncio.timeout(20):
        while heard.empty():
            another_process.write("41\n")
            another_process.flush()
            await asyncio.sleep(0.2)
    assert await next_of(heard) == {41}


@pytest.mark.redis
async def test_a_hint_of_this_process_is_not_heard_twice(heard: Heard) -> None:
    await asyncio.sleep(0.5)
    broadcast.touch([7])
    assert await next_of(heard) == {7}
    await asyncio.sleep(0.5)
    assert heard.empty()
