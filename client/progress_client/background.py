"""Calls in threads that do not keep the process alive."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, Callable


def in_thread(claim: Callable[[], dict[str, Any]]) -> Future[dict[str, Any]]:
    """Make a claim in the background."""
    future: Future[dict[str, Any]] = Future()

    def run() -> None:
        try:
            future.set_result(claim())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="progress-claim", daemon=True).start()
    return future
