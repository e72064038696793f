"""A thread that runs a loop until it is stopped: the watchdog or the deliverer of a server."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread


class LoopThread:
    """A loop in a thread of its own. The loop gets the event that ends it."""

    def __init__(self, name: str, loop: Callable[[Event], object]) -> None:
        self._stop = Event()
        self._thread = Thread(target=loop, args=[self._stop], name=name, daemon=True)

    def start(self) -> None:
        """Start; the loop begins with everything that fell due while none ran."""
        self._thread.start()

    def stop(self, *, timeout: float) -> bool:
        """End after the pass that runs now; False if that takes longer than `timeout` seconds."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()
