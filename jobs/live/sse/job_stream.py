"""Event stream of jobs: a snapshot, then the newest state of each job that changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import structlog
from django.db import Error as DatabaseFailure

from jobs.live import job_messages
from jobs.live.authorization import Grant, WatchRequest
from jobs.live.connections import Connection, connections
from jobs.live.hub import hub
from jobs.live.job_messages import JobMessage
from jobs.live.sse.protocol import PING, StreamLimits, last_message, message
from jobs.live.subscription import Subscription
from jobs.live.topics import Unreadable

log = structlog.get_logger(__name__)


class JobUpdates:
    """One open event stream. A state that waits to be sent is replaced by a newer one.

    `seen` is the revision of a single job that the listener has already: only newer ones are sent. The stream ends
    when the account loses the permission, and `close_after` seconds after a single job was completed, cancelled or
    deleted.
    """

    def __init__(self, request: WatchRequest, grant: Grant, *, seen: int | None, limits: StreamLimits) -> None:
        self._limits = limits
        self._seen = seen if request.job_id is not None else None
        self._connection = Connection(request, grant)
        self._subscription = Subscription(hub(), grant.topic, close_after=limits.close_after)
        self._queue = self._subscription.queue
        self._sent_at = time.monotonic()

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the messages of the stream; it leaves the hub however it ends."""
        connections().join(self._connection)
        self._subscription.join()
        try:
            while (text := await self._next()) is not None:
                yield text
                self._sent_at = time.monotonic()
            if self._connection.closing is not None:
                yield last_message(self._connection.closing)
        except (DatabaseFailure, Unreadable) as reason:
            log.info("stream_ended", reason=repr(reason))
        finally:
            self._subscription.leave()
            connections().leave(self._connection)

    async def _next(self) -> bytes | None:
        """Wait for the next message; None when the stream is over."""
        while True:
            now = time.monotonic()
            if self._connection.closing is not None:
                return None
            self._subscription.watch(self._connection.grant.topic)
            if self._queue.wants_snapshot:
                return await self._snapshot()
            if (pulled := self._queue.pull(now=now)) is not None:
                return _message(*pulled)
            if self._subscription.is_deleted or self._subscription.is_over(now=now):
                return None
            if now - self._sent_at >= self._limits.ping_every:
                return PING
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._limits.tick):
                await self._queue.wake.wait()
        except TimeoutError:
            return
        self._queue.wake.clear()

    async def _snapshot(self) -> bytes:
        jobs, _ = await self._subscription.current()
        text = self._queue.snapshot(jobs, now=time.monotonic())
        self._queue.acknowledge(None, 0)
        revision = jobs[0].revision if jobs and self._subscription.topic.job is not None else None
        if self._seen is not None and revision is not None and revision <= self._seen:
            return PING
        return message(text, type="snapshot", id=revision)


def _message(job_id: int, job: JobMessage | None) -> bytes:
    if job is None:
        return message(job_messages.gone(job_id), type="gone")
    return message(job.text, type="job", id=job.revision)
