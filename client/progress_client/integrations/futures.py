"""Futures as a job: those of `concurrent.futures`, Dask and any other with `add_done_callback`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from progress_client.client import Client
from progress_client.integrations.loops import default_name
from progress_client.integrations.problems import harmless
from progress_client.integrations.reporter import Reporter
from progress_client.integrations.tasks import sentence, trace
from progress_client.job import Job


def watch(futures: Any, job: Job | str = "", *, client: Client | None = None, **options: Any) -> Reporter:
    """Report futures as the items of a job, and end the job with the last of them.

    A mapping gives each future the key of its item; the futures of a list are numbered from 1. A cancelled future is
    skipped. `options` are those of `Client.job`. Call `close()` of the result to wait for the reports.
    """
    named: dict[str, Future[Any]] = (
        dict(futures) if isinstance(futures, Mapping) else {str(number): one for number, one in enumerate(futures, 1)}
    )
    reporter = Reporter(job or default_name(), client=client, **{"items": list(named), **options})
    left, lock = [len(named)], threading.Lock()

    @harmless
    def ended(key: str, future: Future[Any]) -> None:
        if future.cancelled():
            reporter.outcome(key, "skipped", error="The future was cancelled.")
        elif error := future.exception():
            reporter.outcome(key, "failed", error=sentence(error), log=trace(error))
        else:
            reporter.outcome(key)
        with lock:
            left[0] -= 1
            if not left[0]:
                reporter.leave()

    for key, future in named.items():
        future.add_done_callback(lambda future, key=key: ended(key, future))  # type: ignore[misc]
    if not named:
        reporter.leave()
    return reporter
