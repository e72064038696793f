"""The state of jobs, as one listener gets it: a snapshot, then the newest state of each job that changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import structlog
from channels.db import database_sync_to_async
from django.db import Error as DatabaseFailure

from jobs.live import hub, job_messages
from jobs.live.job_messages import JobMessage
from jobs.live.send_queue import SendQueue
from jobs.live.sse.protocol import PING, Limits, message
from jobs.live.topics import Topic
from jobs.rules.errors import Refused

log = structlog.get_logger(__name__)


class JobUpdates:
    """One open stream over the hub of the websockets. What is not sent yet is replaced by what is newer.

    `ask` answers what may be watched now, or raises Refused. `seen` is the revision of a single job that the
    listener has already: nothing is sent that is not newer. The stream ends when nothing may be watched any more,
    and a while after a single job was completed, cancelled or deleted.
    """

    def __init__(self, topic: Topic, *, ask: Callable[[], Topic], seen: int | None, limits: Limits) -> None:
        self._topic, self._limits = topic, limits
        self._ask = database_sync_to_async(ask, thread_sensitive=False)
        self._seen = seen if topic.job is not None else None
        self._wants_snapshot = True
        self._mailbox = SendQueue()
        self._hub = hub()
        self._asked = self._said = time.monotonic()

    async def messages(self) -> AsyncIterator[bytes]:
        """The stream; it leaves the hub however it ends."""
        self._hub.join(self._topic, self._mailbox)
        try:
            while (text := await self._next()) is not None:
                yield text
                self._said = time.monotonic()
        except (DatabaseFailure, Refused) as reason:
            log.info("stream_ended", reason=repr(reason))
        finally:
            self._hub.leave(self._topic, self._mailbox)

    async def _next(self) -> bytes | None:
        """The next message as soon as there is one; None when the stream is over."""
        while True:
            now = time.monotonic()
            if now - self._asked >= self._limits.access_every:
                await self._ask_again()
            if self._wants_snapshot:
                return await self._snapshot()
            if (pulled := self._mailbox.pull(now=now)) is not None:
                return _message(*pulled)
            if self._is_over(now):
                return None
            if now - self._said >= self._limits.ping_every:
                return PING
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._limits.tick):
                await self._mailbox.wake.wait()
        except TimeoutError:
            return
        self._mailbox.wake.clear()

    async def _snapshot(self) -> bytes:
        self._wants_snapshot = False
        shown, _ = await self._hub.current(self._topic)
        text = self._mailbox.snapshot(shown, now=time.monotonic())
        self._mailbox.acknowledge(None, 0)
        revision = shown[0].revision if shown and self._topic.job is not None else None
        if self._seen is not None and revision is not None and revision <= self._seen:
            return PING
        return message(text, type="snapshot", id=revision)

    async def _ask_again(self) -> None:
        """Raises Refused when the account may not watch this any more; begins anew when it may watch something else."""
        topic = await self._ask()
        self._asked = time.monotonic()
        if topic != self._topic:
            self._hub.leave(self._topic, self._mailbox)
            self._topic = topic
            self._mailbox.clear()
            self._hub.join(topic, self._mailbox)
            self._wants_snapshot = True

    def _is_over(self, now: float) -> bool:
        """Was a single job deleted, or shown long enough in a state that no worker can change?"""
        if self._topic.job is None:
            return False
        since = self._mailbox.over_since
        is_gone = self._mailbox.last_gone == self._topic.job
        return is_gone or (since is not None and now - since >= self._limits.close_after)


def _message(job_id: int, frame: JobMessage | None) -> bytes:
    if frame is None:
        return message(job_messages.gone(job_id), type="gone")
    return message(frame.text, type="job", id=frame.revision)
