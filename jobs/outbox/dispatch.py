"""Parallel delivery to all endpoints.

Only the thread that calls `turn` uses the database. Each wave is sent in a thread of its own, without a database
connection. After each wave a lane goes to the end of the queue, so that endpoints take turns: a slow one occupies
one thread of many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Event as Flag
from time import monotonic
from typing import Any

import structlog

from jobs.db.reachability import log_failure
from jobs.isolation import set_aside
from jobs.outbox.delivery_run import BATCH, Lane, lanes_due, release_connection
from jobs.outbox.messages import Message, Outcome

log = structlog.get_logger(__name__)

# Sixteen requests each: together below the 1,024 descriptors that a process often has.
LANES = 48


class Dispatcher:
    """Dispatcher of due deliveries to every endpoint. `error` is the latest one that ended a lane or a look."""

    def __init__(self, *, now: datetime | None = None, stop: Flag | None = None, limit: int | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.error: Exception | None = None
        self._now, self._limit = now, limit
        self._stop = stop or Flag()
        self._queue: dict[int, Lane] = {}
        self._sending: dict[int, Lane] = {}
        self._sent: SimpleQueue[tuple[int, Future[list[Outcome]]]] = SimpleQueue()
        self._threads = ThreadPoolExecutor(LANES, thread_name_prefix="lane")

    @property
    def idle(self) -> bool:
        """True when every lane has ended."""
        return not self._queue and not self._sending

    def look(self) -> bool:
        """Queue a lane for each endpoint with due deliveries; return False if the query failed."""
        try:
            found = lanes_due(now=self._now, stop=self._stop, limit=self._limit)
        except Exception as error:
            self._failed(error, step="deliver.look")
            return False
        for key, lane in found.items():
            if key not in self._sending:
                self._queue.setdefault(key, lane)
        return True

    def turn(self, timeout: float | None) -> None:
        """Send the next waves, and store the outcomes of those that end within `timeout` seconds."""
        self._begin_waves()
        self._take(timeout)

    def _begin_waves(self) -> None:
        while self._queue and len(self._sending) < LANES:
            key = next(iter(self._queue))
            self._begin(key, self._queue.pop(key))

    def _take(self, timeout: float | None) -> None:
        if self._sent.empty():
            release_connection()
        try:
            key, sent = self._sent.get(timeout=timeout)
        except Empty:
            return
        lane = self._sending.pop(key)
        try:
            self.counts.update(lane.take(sent.result()))
        except Exception as error:
            self._end(lane, error)
        else:
            self._queue[key] = lane

    def finish(self, timeout: float | None) -> bool:
        """Store the outcomes of the running waves; return False if some take longer than `timeout` seconds."""
        over = None if timeout is None else monotonic() + timeout
        self._begin_waves()
        while self._sending and (over is None or monotonic() < over):
            self._take(None if over is None else max(0.0, over - monotonic()))
            self._begin_waves()
        self._threads.shutdown(wait=self.idle, cancel_futures=True)
        return self.idle

    def _begin(self, key: int, lane: Lane) -> None:
        """Send the next wave of this lane, or end the lane if there is none."""
        try:
            messages = lane.next_wave()
        except Exception as error:
            self._end(lane, error)
            return
        if not messages:
            self._end(lane)
            return
        self._sending[key] = lane
        self._threads.submit(self._send, lane, messages).add_done_callback(lambda sent: self._sent.put((key, sent)))

    def _send(self, lane: Lane, messages: Sequence[Message]) -> list[Outcome]:
        return lane.send(messages)

    def _end(self, lane: Lane, error: Exception | None = None) -> None:
        """Close a lane. Its connections are closed in a thread, because that may wait for the endpoint."""
        ids = {"step": "deliver.lane", "endpoint_id": lane.endpoint.pk}
        if error:
            self._failed(error, **ids)
        self._threads.submit(lane.close)
        try:
            lane.let_go()
        except Exception as failure:
            self._failed(failure, **ids)

    def _failed(self, error: Exception, **ids: Any) -> None:
        """Set the endpoint aside; with the database away too, the next look tries again."""
        self.error = error
        try:
            set_aside(error, **ids)
        except Exception:
            log_failure(log, "delivery_pass_failed", error, **ids)


def deliver(now: datetime | None = None, *, limit: int = BATCH) -> dict[str, int]:
    """Send the due deliveries to every endpoint; return how many were sent, will be retried, are dead.

    At most `limit` deliveries are tried at each endpoint. `now` replaces the clock. An error of one endpoint is
    raised when the others are done.
    """
    dispatcher = Dispatcher(now=now, limit=limit)
    dispatcher.look()
    dispatcher.finish(None)
    if dispatcher.error:
        raise dispatcher.error
    return {"sent": 0, "retried": 0, "dead": 0, **dispatcher.counts}
