"""Detection of programs that wait for themselves.

A function in a pool that submits work to the same pool and waits for its result takes a thread while it waits. If all
threads do so, none is left for the work, and the program waits for ever: its leases are renewed, nothing is finished.

A loop over `claim()` whose items are collected in a list before the first one is begun waits for them, and so for
itself.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, thread
from types import FrameType
from typing import Any, Protocol
from weakref import WeakSet

log = logging.getLogger(__name__)

ADVICE = (
    "All %d threads of a ThreadPoolExecutor wait for results of the same pool, and %d calls wait for a thread: it waits"
    " for itself and never ends. Submit to a second pool, or call the function directly where its result is needed."
)
COLLECTED = (
    "%d items that this loop over claim() has handed out are neither begun nor reported, and it waits until they are."
    " list(job.claim()) and Pool.map(function, job.claim()) collect all items first and so wait for themselves: begin"
    " each item as it comes, or use claim(wait=False)."
)
COLLECTED_SECONDS = 20.0
MOST_KNOWN = 10_000
WAITS = Future.result.__code__
WORKS = thread._worker.__code__
_named: WeakSet[ThreadPoolExecutor] = WeakSet()


def warn() -> None:
    """Log each pool that waits for itself, once."""
    for pool, waiting in list(_stuck()):
        if pool not in _named:
            _named.add(pool)
            log.error(ADVICE, pool._max_workers, waiting)


def _stuck() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Yield each pool whose threads all wait for a result while calls wait for a thread, with their number."""
    waiting: dict[Any, int] = {}
    for frame in sys._current_frames().values():
        pool = _pool_of(frame)
        if pool is not None:
            waiting[pool] = waiting.get(pool, 0) + 1
    for pool, threads in waiting.items():
        calls = pool._work_queue.qsize()
        if calls and threads == pool._max_workers:
            yield pool, calls


def _pool_of(frame: FrameType | None) -> Any:
    """Return the pool of a thread that waits for a result; None for other threads."""
    waits = False
    while frame is not None:
        waits = waits or frame.f_code is WAITS
        if frame.f_code is WORKS:
            reference = frame.f_locals.get("executor_reference")
            return reference() if waits and reference else None
        frame = frame.f_back
    return None


class Begun(Protocol):
    """An item; `is_begun` after its `with` block or its report has begun."""

    is_begun: bool


class HandedOut:
    """The items that a loop has handed out since the last one that was begun."""

    def __init__(self) -> None:
        self._items: list[Begun] = []
        self._waits_since = 0.0

    def add(self, item: Begun) -> None:
        """Note an item that is handed out."""
        if len(self._items) == MOST_KNOWN or any(earlier.is_begun for earlier in self._items[-1:]):
            self._items.clear()
        self._items.append(item)
        self._waits_since = 0.0

    def explain(self) -> None:
        """Log once why a loop waits for ever, if it waits for items of which not one has been begun for a while."""
        now = time.monotonic()
        self._waits_since = self._waits_since or now
        if now - self._waits_since < COLLECTED_SECONDS:
            return
        if len(self._items) > 1 and not any(item.is_begun for item in self._items):
            log.error(COLLECTED, len(self._items))
        self._items.clear()
