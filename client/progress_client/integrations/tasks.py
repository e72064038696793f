"""Reports of tasks that a queue delivers: each is an item of a job, named by a mark that travels with the task."""

from __future__ import annotations

import threading
import time
from collections import Counter
from traceback import format_exception
from typing import Any

from progress_client import forks
from progress_client.buffer import Address
from progress_client.client import Client
from progress_client.integrations.problems import log_once, logged, shared_client
from progress_client.integrations.reporter import fields_of
from progress_client.job import Job
from progress_client.transport import encode

# A third of the default lease of the site.
BEAT_SECONDS = 30.0
MARK = "progress"

Mark = dict[str, Any]


def mark_of(job: Job | int, key: str, *, phase: str = "") -> Mark:
    """Return the mark of a task: the item that it reports."""
    if isinstance(job, Job):
        return {"job": job.id, "phase": phase or job.first_phase, "key": key}
    return {"job": job, "phase": phase or "items", "key": key}


def sentence(error: BaseException | str | None) -> str:
    """Format an exception as the error of an item."""
    if not isinstance(error, BaseException):
        return str(error or "unknown error")
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def trace(error: BaseException | None) -> str:
    """Format the traceback of an exception as the log of an item."""
    return "" if error is None else "".join(format_exception(type(error), error, error.__traceback__))


class TaskReports:
    """Outcomes of marked tasks, stored in the journal at once, and a heartbeat while tasks run.

    No method waits for the site or raises. Tasks without a mark are ignored.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._given = client
        self._lock = threading.Lock()
        self._running: Counter[int] = Counter()
        self._thread: threading.Thread | None = None
        forks.renew(self)

    def started(self, mark: Any) -> None:
        """Report that a task runs."""
        if self._report(mark, "processing"):
            with self._lock:
                self._running[mark["job"]] += 1
                if self._thread is None:
                    self._thread = threading.Thread(target=self._beat, name="progress-tasks", daemon=True)
                    self._thread.start()

    def ended(self, mark: Any, status: str, *, error: str = "", log: str = "") -> None:
        """Report the outcome of a task: completed, failed, skipped, or pending if it will run again."""
        if self._report(mark, status, **fields_of(error, log=log)):
            with self._lock:
                self._running[mark["job"]] -= 1
                self._running += Counter()  # keeps the positive ones

    def flush(self, *, timeout: float) -> None:
        """Send what waits before the process ends; unsent outcomes stay in the journal."""
        with logged("tasks wait in the journal"):
            self._client.flush(timeout=timeout)

    def adopt(self) -> None:
        """Send what killed processes of this machine leave in their journals, for as long as this process runs."""
        with logged("tasks of other processes are not sent"):
            self._client._session.outbox.adopt()

    @property
    def _client(self) -> Client:
        return self._given or shared_client()

    def _report(self, mark: Any, status: str, **fields: Any) -> bool:
        if not isinstance(mark, dict):
            return False
        with logged("tasks are not reported"):
            session = self._client._session
            address = Address(int(mark["job"]), str(mark["phase"]), session.worker)
            session.outbox.report_later(address, {"key": str(mark["key"]), "status": status, **fields})
            return True
        return False

    def _beat(self) -> None:
        """Renew the leases of this process in each job with a running task."""
        while True:
            time.sleep(BEAT_SECONDS)
            with self._lock:
                jobs = list(self._running)
            for job in jobs:
                try:
                    session = self._client._session
                    session.transport.once("POST", f"/jobs/{job}/heartbeat", encode({"worker": session.worker}))
                except Exception as error:
                    log_once(f"job {job} has no heartbeat: {error}")

    def _after_fork(self) -> None:
        self._lock, self._running, self._thread = threading.Lock(), Counter(), None
