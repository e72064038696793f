"""Feed of outward events for one listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from django.db import Error as DatabaseFailure

from jobs.access import Access
from jobs.live.connections import Connection, connections
from jobs.live.sse.protocol import PING, StreamLimits, last_message, message
from jobs.models import Event
from jobs.serializers import encode
from jobs.serializers.shapes import OutwardEvent

log = structlog.get_logger(__name__)

NEWEST_SECONDS = 0.5
Page = Callable[[int, Access], Sequence[OutwardEvent]]


class NewestEvent:
    """Id of the newest outward event: one query for all listeners, twice a second while there are any."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._id, self._loaded_at = 0, float("-inf")

    async def newest(self) -> int:
        """Return the id, at most NEWEST_SECONDS seconds old."""
        async with self._lock:
            if time.monotonic() - self._loaded_at >= NEWEST_SECONDS:
                self._id = await _newest()
                self._loaded_at = time.monotonic()
        return self._id


_newest_events: WeakKeyDictionary[asyncio.AbstractEventLoop, NewestEvent] = WeakKeyDictionary()


async def follow(page: Page, *, after: int, connection: Connection, limits: StreamLimits) -> AsyncIterator[bytes]:
    """Yield the events with ids larger than `after`, ascending, each once; then new ones as they come.

    `page` returns the next few events after an id that this access shows, none at the end.
    """
    connections().join(connection)
    try:
        yield PING
        async for text in _followed(page, after=after, connection=connection, limits=limits):
            yield text
        if connection.closing is not None:
            yield last_message(connection.closing)
    except DatabaseFailure as reason:
        log.info("feed_ended", reason=repr(reason))
    finally:
        connections().leave(connection)


async def _followed(page: Page, *, after: int, connection: Connection, limits: StreamLimits) -> AsyncIterator[bytes]:
    load = database_sync_to_async(page, thread_sensitive=False)
    newest_event = _newest_events.setdefault(asyncio.get_running_loop(), NewestEvent())
    sent_at = time.monotonic()
    while connection.closing is None:
        newest = await newest_event.newest()
        events = await load(after, connection.grant.access) if newest > after else ()
        for event in events:
            yield message(encode(event).decode(), id=event["id"])
            after, sent_at = event["id"], time.monotonic()
        if not events:
            # Skip filtered events for good: no event with a smaller id becomes visible later.
            after = max(after, newest)
            if time.monotonic() - sent_at >= limits.ping_every:
                yield PING
                sent_at = time.monotonic()
            await asyncio.sleep(limits.tick)


def _newest_id() -> int:
    return Event.objects.outward().in_feed().order_by("-pk").values_list("pk", flat=True).first() or 0


_newest = database_sync_to_async(_newest_id, thread_sensitive=False)
