"""Broadcast of hints that jobs have changed, from any thread to every process.

A hint is a set of job ids and nothing more; the receiver loads the jobs. Within a process it is passed to the event
loop that listens. Other processes get it through the channel layer where that is shared (Redis); the in-memory layer
ends with its process. A hint may be lost, so a listener also compares with the database about once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any
from uuid import uuid4

import structlog
from channels.layers import InMemoryChannelLayer, get_channel_layer

log = structlog.get_logger(__name__)

GROUP = "jobs.changed"
PROCESS = uuid4().hex
PUBLISH_PAUSE = 0.05
PUBLISH_TIMEOUT = 5.0
RETRY_PAUSE = 2.0
CANCEL_PAUSE = 0.2


def touch(job_ids: Iterable[int]) -> None:
    """Notify all processes that these jobs have a new revision; from any thread, without waiting."""
    ids = frozenset(job_ids)
    for listener in tuple(_listeners):
        listener.notify(ids)
    if _shared_layer() is not None:
        _publisher.put(ids)


async def listen(on_hint: Callable[[frozenset[int]], None]) -> None:
    """Call `on_hint` on this event loop with the ids of jobs that changed in any process, until cancelled."""
    listener = Listener(on_hint)
    _listeners.add(listener)
    try:
        await _follow(on_hint)
    finally:
        _listeners.discard(listener)


class ChangedJobs:
    """Job ids that any thread adds and one reader takes, all at once."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._lock = Lock()

    def add(self, ids: frozenset[int]) -> bool:
        """Add ids. Return True for the first since the last `take`: then the reader must be woken."""
        with self._lock:
            was_empty = not self._ids
            self._ids |= ids
            return was_empty and bool(ids)

    def take(self) -> frozenset[int]:
        """Return all ids and remove them."""
        with self._lock:
            ids, self._ids = self._ids, set()
            return frozenset(ids)


class Listener:
    """Listener of one event loop; create it on that loop."""

    def __init__(self, on_hint: Callable[[frozenset[int]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_hint = on_hint
        self._changed = ChangedJobs()

    def notify(self, ids: frozenset[int]) -> None:
        """Schedule the delivery of these ids, unless one is scheduled already; from any thread."""
        if self._changed.add(ids):
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop was closed
                _listeners.discard(self)

    def _deliver(self) -> None:
        self._on_hint(self._changed.take())


class Publisher:
    """Thread that passes hints to other processes, so that a slow or dead channel layer delays no caller of `touch`."""

    def __init__(self) -> None:
        self._changed = ChangedJobs()
        self._wake = Event()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._is_down = False

    def put(self, ids: frozenset[int]) -> None:
        """Publish these ids soon; from any thread."""
        if self._changed.add(ids):
            self._start()
            self._wake.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="hints", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        while True:
            self._wake.wait()
            self._wake.clear()
            self._publish(loop, self._changed.take())
            time.sleep(PUBLISH_PAUSE)  # hints of this time are published together

    def _publish(self, loop: asyncio.AbstractEventLoop, ids: frozenset[int]) -> None:
        """Publish once. The first failure and the recovery are logged, not each hint in between."""
        try:
            loop.run_until_complete(asyncio.wait_for(_send(ids), PUBLISH_TIMEOUT))
        except Exception as error:  # any error of the layer's client
            if not self._is_down:
                log.warning("hints_not_published", error=repr(error))
            self._is_down = True
            return
        if self._is_down:
            log.info("hints_published_again")
        self._is_down = False


_listeners: set[Listener] = set()
_publisher = Publisher()


def _shared_layer() -> Any:
    """Return the channel layer if it reaches other processes, else None."""
    layer = get_channel_layer()
    return None if isinstance(layer, InMemoryChannelLayer) else layer


async def _send(ids: frozenset[int]) -> None:
    message = {"type": GROUP, "from": PROCESS, "ids": sorted(ids)}
    await _shared_layer().group_send(GROUP, message)


async def _follow(on_hint: Callable[[frozenset[int]], None]) -> None:
    """Pass on the hints of other processes; reconnect when the layer fails."""
    layer = _shared_layer()
    if layer is None:
        await asyncio.Event().wait()
    while True:
        receiving = asyncio.create_task(_receive(layer, on_hint))
        try:
            await asyncio.wait([receiving])
            log.warning("hints_not_received", error=repr(receiving.exception()))
        finally:
            await _end(receiving, layer)
        await asyncio.sleep(RETRY_PAUSE)


async def _end(receiving: asyncio.Task[None], layer: Any) -> None:
    """Cancel until the task has ended: the client of Redis loses a cancellation that comes while it connects."""
    while not receiving.done():
        receiving.cancel()
        await asyncio.wait([receiving], timeout=CANCEL_PAUSE)
    with suppress(Exception):  # any error of the layer's client; the connection is not used again
        async with asyncio.timeout(RETRY_PAUSE):
            await layer.flush()


async def _receive(layer: Any, on_hint: Callable[[frozenset[int]], None]) -> None:
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    while True:
        message = await layer.receive(channel)
        if message["from"] != PROCESS:
            on_hint(frozenset(message["ids"]))
