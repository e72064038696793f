"""Session of one open socket: three tasks that read, write and keep time. The first to end gives the close reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog
from channels.db import database_sync_to_async

from jobs.live.authorization import NOT_FOUND, Grant, WatchRequest, authorize, identify
from jobs.live.client_messages import MESSAGE_LENGTH, Ack, Allowance, Sync, decode
from jobs.live.close_reasons import OVER, OVERLOADED, Closing, denied, flood, unacknowledged
from jobs.live.connections import Connection, connections
from jobs.live.hub import Hub
from jobs.live.job_messages import PING
from jobs.live.send_queue import GONE_WINDOW
from jobs.live.subscription import Subscription
from jobs.live.topics import Unreadable

log = structlog.get_logger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

authorize_in_thread = database_sync_to_async(authorize, thread_sensitive=False)
identify_in_thread = database_sync_to_async(identify, thread_sensitive=False)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Limits of a socket: durations in seconds, and numbers of messages."""

    ping_every: float = 20
    ack_within: float = 30
    close_after: float = 10
    tick: float = 1
    messages_per_second: float = 50
    messages_at_once: float = 100
    sync_every: float = 1


class Session:
    """A socket that was accepted, from its snapshot until its close."""

    def __init__(
        self, hub: Hub, grant: Grant, *, request: WatchRequest, limits: SocketLimits, receive: Receive, send: Send
    ):
        self._limits = limits
        self._receive, self._send = receive, send
        self._connection = Connection(request, grant)
        self._subscription = Subscription(hub, grant.topic, close_after=limits.close_after)
        self._queue = self._subscription.queue
        self._wants_ping = False
        self._sync: dict[int, int] | None = None
        self._sync_after = 0.0
        self._subscription.join()
        connections().join(self._connection)

    async def run(self) -> Closing | None:
        """Serve the socket; return the reason to close it, or None when the browser has left."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(part()) for part in (self._read, self._write, self._keep_time)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        return _closing(ended)

    def leave(self) -> None:
        """End the subscription."""
        self._subscription.leave()
        connections().leave(self._connection)

    # --- reading -------------------------------------------------------------------------------

    async def _read(self) -> Closing | None:
        """Handle each message at once; the writer does the slow work, so messages cannot pile up in the server."""
        allowance = Allowance(per_second=self._limits.messages_per_second, at_once=self._limits.messages_at_once)
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return None
            if not self._handle(event.get("text")) and not allowance.spend():
                return flood(per_second=self._limits.messages_per_second)
            if self._is_over():
                return OVER

    def _handle(self, text: str | None) -> bool:
        """Handle a message. Return True for an acknowledgement: their number is bounded by the messages we send."""
        message = decode(text) if text and len(text) <= MESSAGE_LENGTH else None
        if isinstance(message, Ack):
            return self._queue.acknowledge(message.id, message.revision)
        if isinstance(message, Sync):
            self._sync = message.revisions
            self._queue.wake.set()
        return False

    # --- writing -------------------------------------------------------------------------------

    async def _write(self) -> Closing | None:
        """Send the queued messages, as fast as the browser acknowledges them."""
        while True:
            if self._wants_ping:
                self._wants_ping = False
                await self._send_text(PING)
            if self._queue.wants_snapshot and self._has_room_for_snapshot():
                await self._send_snapshot()
            if self._sync is not None and not self._queue.is_full:
                await self._answer_sync()
            while text := self._queue.take(now=time.monotonic()):
                await self._send_text(text)
            if self._subscription.is_deleted:
                return denied(NOT_FOUND)
            if not self._queue.wants_snapshot or not self._has_room_for_snapshot():
                await self._queue.wake.wait()
                self._queue.wake.clear()

    def _has_room_for_snapshot(self) -> bool:
        """Is no snapshot under way? One at a time, since it may be long."""
        return not self._queue.is_full and not self._queue.has_snapshot_under_way

    async def _send_snapshot(self) -> None:
        jobs, _ = await self._subscription.current()
        await self._send_text(self._queue.snapshot(jobs, now=time.monotonic()))

    async def _answer_sync(self) -> None:
        """Queue the jobs that are newer than the browser has, and those that are gone.

        Answers come at most once in `sync_every` seconds. Too many jobs that are gone are answered with a snapshot.
        """
        now = time.monotonic()
        if now < self._sync_after:
            asyncio.get_running_loop().call_later(self._sync_after - now, self._queue.wake.set)
            return
        self._sync_after = now + self._limits.sync_every
        has, self._sync = self._sync or {}, None
        newer, present = await self._subscription.current(newer_than=has)
        missing = has.keys() - present
        if (single := self._subscription.topic.job) is not None:
            missing &= {single}
        if len(missing) > GONE_WINDOW:
            self._queue.wants_snapshot = True
            return
        for job in newer:
            self._queue.repeat(job)
        for job_id in missing:
            self._queue.gone(job_id)

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    # --- time ----------------------------------------------------------------------------------

    async def _keep_time(self) -> Closing | None:
        """Check the limits. It sends nothing itself: sending to a browser that does not read may never return."""
        pinged = time.monotonic()
        while True:
            await asyncio.sleep(self._limits.tick)
            now = time.monotonic()
            if self._is_over():
                return OVER
            if now - (self._queue.waits_since() or now) > self._limits.ack_within:
                return unacknowledged(seconds=self._limits.ack_within)
            if now - pinged >= self._limits.ping_every:
                pinged, self._wants_ping = now, True
                self._queue.wake.set()
            if self._connection.closing is not None:
                return self._connection.closing
            self._subscription.watch(self._connection.grant.topic)

    def _is_over(self) -> bool:
        """Was the end of a single job shown, and acknowledged or given its time?"""
        if self._subscription.over_since is not None and self._queue.is_settled():
            return True
        return self._subscription.is_over(now=time.monotonic())


def _closing(ended: list[Any]) -> Closing | None:
    """Return the first reason that a task gave. A failure counts as overload, so that browsers connect again."""
    for result in ended:
        if isinstance(result, Unreadable):
            return OVERLOADED
        if isinstance(result, OSError) or result is None:
            return None
        if isinstance(result, Closing):
            return result
        if not isinstance(result, asyncio.CancelledError):
            log.error("live_socket_failed", exc_info=result)
            return OVERLOADED
    return OVERLOADED
