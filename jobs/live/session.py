"""One open socket: three tasks that read, write and keep time. The first to end says why it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from jobs.live.authorization import NOT_FOUND, Denied, Request, authorize, identify
from jobs.live.client_messages import MESSAGE_LENGTH, Ack, Allowance, Sync, decode
from jobs.live.close_reasons import OVER, OVERLOADED, Closing, denied, flood, unacknowledged
from jobs.live.hub import Hub
from jobs.live.job_messages import PING
from jobs.live.send_queue import GONE_WINDOW, SendQueue
from jobs.live.threads import in_thread
from jobs.live.topics import Topic

log = structlog.get_logger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

ask_admission = in_thread(authorize)
ask_identity = in_thread(identify)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and messages."""

    ping_every: float = 20
    ack_within: float = 30
    access_every: float = 30
    close_after: float = 10
    tick: float = 1
    messages_per_second: float = 50
    messages_at_once: float = 100
    sync_every: float = 1


class Session:
    """A socket that was accepted, from its snapshot until it is closed."""

    def __init__(self, hub: Hub, topic: Topic, *, request: Request, limits: Limits, receive: Receive, send: Send):
        self._hub, self._topic, self._request, self._limits = hub, topic, request, limits
        self._receive, self._send = receive, send
        self._mailbox = SendQueue()
        self._mailbox.wants_snapshot, self._wants_ping = True, False
        self._sync: dict[int, int] | None = None
        self._sync_after = 0.0
        self._hub.join(topic, self._mailbox)

    async def run(self) -> Closing | None:
        """Until there is a reason to close, or None when the browser has left."""
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
        """Nothing more comes from the hub."""
        self._hub.leave(self._topic, self._mailbox)

    # --- reading -------------------------------------------------------------------------------

    async def _read(self) -> Closing | None:
        """Never slow: what takes time is left to the writer."""
        allowance = Allowance(per_second=self._limits.messages_per_second, at_once=self._limits.messages_at_once)
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return None
            if not self._hear(event.get("text")) and not allowance.spend():
                return flood(per_second=self._limits.messages_per_second)
            if self._is_over():
                return OVER

    def _hear(self, text: str | None) -> bool:
        """Act on a message; False unless it acknowledged something, for only that is bounded by what we send."""
        message = decode(text) if text and len(text) <= MESSAGE_LENGTH else None
        if isinstance(message, Ack):
            return self._mailbox.acknowledge(message.id, message.revision)
        if isinstance(message, Sync):
            self._sync = message.revisions
            self._mailbox.wake.set()
        return False

    # --- writing -------------------------------------------------------------------------------

    async def _write(self) -> Closing | None:
        """Send what waits, as fast as the browser acknowledges it."""
        while True:
            if self._wants_ping:
                self._wants_ping = False
                await self._send_text(PING)
            if self._mailbox.wants_snapshot and self._has_room_for_snapshot():
                await self._send_snapshot()
            if self._sync is not None and not self._mailbox.is_full:
                await self._answer_sync()
            while text := self._mailbox.take(now=time.monotonic()):
                await self._send_text(text)
            if self._topic.job is not None and self._mailbox.last_gone == self._topic.job:
                return denied(NOT_FOUND)
            if not self._mailbox.wants_snapshot or not self._has_room_for_snapshot():
                await self._mailbox.wake.wait()
                self._mailbox.wake.clear()

    def _has_room_for_snapshot(self) -> bool:
        """One snapshot at a time, since it may be long."""
        return not self._mailbox.is_full and not self._mailbox.has_snapshot_under_way

    async def _send_snapshot(self) -> None:
        frames, _ = await self._hub.current(self._topic)
        await self._send_text(self._mailbox.snapshot(frames, now=time.monotonic()))

    async def _answer_sync(self) -> None:
        """What is newer than the browser has, and what it has that is gone; so often, and no longer than a snapshot."""
        now = time.monotonic()
        if now < self._sync_after:
            asyncio.get_running_loop().call_later(self._sync_after - now, self._mailbox.wake.set)
            return
        self._sync_after = now + self._limits.sync_every
        has, self._sync = self._sync or {}, None
        frames, there = await self._hub.current(self._topic, newer_than=has)
        missing = has.keys() - there
        if self._topic.job is not None:
            missing &= {self._topic.job}
        if len(missing) > GONE_WINDOW:
            self._mailbox.wants_snapshot = True
            return
        for frame in frames:
            self._mailbox.repeat(frame)
        for job_id in missing:
            self._mailbox.gone(job_id)

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    # --- time ----------------------------------------------------------------------------------

    async def _keep_time(self) -> Closing | None:
        """Sends nothing itself: to a browser that does not read, sending may take for ever."""
        pinged = asked = time.monotonic()
        while True:
            await asyncio.sleep(self._limits.tick)
            now = time.monotonic()
            if self._is_over():
                return OVER
            if now - (self._mailbox.waits_since() or now) > self._limits.ack_within:
                return unacknowledged(seconds=self._limits.ack_within)
            if now - pinged >= self._limits.ping_every:
                pinged, self._wants_ping = now, True
                self._mailbox.wake.set()
            if now - asked >= self._limits.access_every:
                asked = now
                await self._ask_again()

    def _is_over(self) -> bool:
        """Has a single job that no worker can change any more been shown, and the browser had its time to say so?"""
        since = self._mailbox.over_since
        if self._topic.job is None or since is None:
            return False
        return self._mailbox.is_settled() or time.monotonic() - since >= self._limits.close_after

    async def _ask_again(self) -> None:
        """Raises Denied when the account may not watch this any more; begins anew when it may watch something else."""
        topic = await ask_admission(self._request)
        if topic != self._topic:
            self._hub.leave(self._topic, self._mailbox)
            self._topic = topic
            self._mailbox.clear()
            self._hub.join(topic, self._mailbox)
            self._mailbox.wake.set()


def _closing(ended: list[Any]) -> Closing | None:
    """Why it ended: the first reason that a part gave; a failure counts as overload, so that browsers come again."""
    for result in ended:
        if isinstance(result, Denied):
            return denied(result.code)
        if isinstance(result, OSError) or result is None:
            return None
        if isinstance(result, Closing):
            return result
        if not isinstance(result, asyncio.CancelledError):
            log.error("live_socket_failed", exc_info=result)
            return OVERLOADED
    return OVERLOADED
