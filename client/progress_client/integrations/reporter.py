"""Reports of one job from code that must not wait for the site: a counter, outcomes, and the end of the job."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from progress_client import forks
from progress_client.buffer import Address
from progress_client.client import Client
from progress_client.errors import ProgressError, Unavailable, WrongState
from progress_client.integrations.problems import log_once, logged, shared_client
from progress_client.item_log import ItemLog
from progress_client.items import as_json_object, clean_sentence
from progress_client.job import Job

EVERY_SECONDS = 1.0
BEAT_SECONDS = 30.0
LONGEST_MESSAGE = 2000
EXIT_SECONDS = 5.0

Counts = dict[str, int]


class Reporter:
    """Reports of one job from a thread of its own. No method waits for the site or raises its errors.

    `job` is a Job, or the name of one that the thread creates with `options`, the arguments of `Client.job`. Counts are
    added up and stored in the journal once a second; outcomes are stored at once. Both wait in memory while the job
    could not be created yet. A forked child does not report: that is left to the process that made the reporter.
    """

    def __init__(self, job: Job | str, *, client: Client | None = None, **options: Any) -> None:
        self.job = job if isinstance(job, Job) else None
        # The passes of a loop, besides `count`. Only its thread writes it: no lock costs less than a microsecond.
        self.position = self._stored = 0
        self.is_cancelled = False
        # Called with a sentence if the process ends, or the client is closed, first.
        self.at_exit: Callable[[str], None] = self.fail
        self._name, self._options = job if isinstance(job, str) else job.name, options
        self._counts: dict[str, Counts] = {}
        self._calls: deque[Callable[[Job], object]] = deque()
        self._message: dict[str, Any] = {}
        self._beat_at = 0.0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._is_off = False
        self._thread = threading.Thread(target=self._run, name="progress-reporter", daemon=True)
        try:
            self._client = client or shared_client()
        except ProgressError as error:
            log_once(f"{self._name} is not reported: {error}")
            self._is_off = True
            return
        forks.renew(self)
        self._client._session.closing.append(self._at_exit)
        self._thread.start()

    # --- the watched work --------------------------------------------------------------------------

    def count(self, done: int = 1, *, failed: int = 0, skipped: int = 0, phase: str = "") -> None:
        """Add to the counts of a phase without items, by default the first phase."""
        with self._lock:
            counts = self._counts.setdefault(phase, {"done": 0, "failed": 0, "skipped": 0})
            counts["done"] += done
            counts["failed"] += failed
            counts["skipped"] += skipped

    def outcome(self, key: str, status: str = "completed", *, phase: str = "", **fields: Any) -> None:
        """Report an item: `error`, `result` and `log` as in `Job.report`."""
        body = {"key": key, "status": status, **fields_of(**fields)}
        self._do(lambda job: self._later(job, phase, body))

    def announce(self, expected: int, *, phase: str = "") -> None:
        """Announce the total of a phase, by default the first one."""
        self._do(lambda job: job.announce(expected, phase=phase or None), here=False)

    def show(self, message: str, *, progress: int | None = None) -> None:
        """Show a line, such as metrics, with the job. Only the newest one is sent."""
        with self._lock:
            self._message = {"message": message[:LONGEST_MESSAGE], "progress": progress}

    def finish(self, *phases: str) -> None:
        """Finish the phases, by default the first one, once all is reported. Nothing is reported afterwards."""
        self._do(lambda job: self._finish(job, phases or ("",)), here=False)
        self._ending.set()

    def fail(self, error: str, *, phase: str = "") -> None:
        """Fail a phase without items, once all is reported. Nothing is reported afterwards."""
        self._do(lambda job: self._flushed(job).fail(clean_sentence(error), phase=phase or None), here=False)
        self._ending.set()

    def leave(self) -> None:
        """Report what waits and end the thread, without an end of the job."""
        self._ending.set()

    def close(self, *, timeout: float = EXIT_SECONDS) -> bool:
        """Wait until all is reported; False after `timeout` seconds."""
        self._ending.set()
        if self.job is not None and not self._is_off:
            with logged(f"{self._name} was not counted"):
                self._store_counts(self.job)
        self._thread.join(timeout) if self._thread.is_alive() else None
        return not self._thread.is_alive()

    # --- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        job = self.job or self._created()
        while job is not None:
            self.job = job
            is_last = self._ending.is_set()
            self._send(job)
            if is_last:
                break
            self._ending.wait(EVERY_SECONDS)
        self._is_off = True
        with suppress(ValueError):
            self._client._session.closing.remove(self._at_exit)

    def _created(self) -> Job | None:
        """Create the job, however long the site is away."""
        while True:
            try:
                return self._client.job(self._name, **self._options)
            except Unavailable as error:
                log_once(f"{self._name} waits for the site: {error}")
                if self._client._session.stop.is_set():
                    return None
            except Exception as error:
                log_once(f"{self._name} is not reported: {error}", error)
                return None

    def _send(self, job: Job) -> None:
        with logged(f"{job.name} was not counted"):
            self._store_counts(job)
        while self._calls:
            with logged(f"{job.name} was not reported"):
                self._calls.popleft()(job)
        with logged(f"{job.name} has no heartbeat"):
            self._beat(job)

    def _store_counts(self, job: Job) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
            position = self.position
            passes, self._stored = position - self._stored, position
        if passes > 0:
            counts.setdefault("", {"done": 0})["done"] += passes
        for phase, body in counts.items():
            if any(body.values()):
                self._later(job, phase, {"failed": 0, "skipped": 0, **body, "event_id": str(uuid4())}, is_count=True)

    def _beat(self, job: Job) -> None:
        with self._lock:
            message, self._message = self._message, {}
        if message or time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + BEAT_SECONDS
            answer = job.heartbeat(**message)
            self.is_cancelled = answer["cancel_requested"]

    def _later(self, job: Job, phase: str, body: dict[str, Any], *, is_count: bool = False) -> None:
        session = self._client._session
        session.outbox.report_later(Address(job.id, phase or job.first_phase, session.worker), body, is_count=is_count)

    def _flushed(self, job: Job) -> Job:
        self._client._session.outbox.flush(job=job.id, stop=self._client._session.stop)
        return job

    def _finish(self, job: Job, phases: tuple[str, ...]) -> None:
        self._flushed(job)
        for phase in phases:
            try:
                job.finish(phase=phase or None)
            except WrongState:
                # The last count or outcome has completed the phase already.
                job.refresh()

    def _do(self, call: Callable[[Job], object], *, here: bool = True) -> None:
        """Run a call: here, if it only stores an outcome, else in the thread."""
        if self._is_off:
            return
        if here and self.job is not None:
            with logged(f"{self._name} was not reported"):
                call(self.job)
        else:
            self._calls.append(call)

    def _at_exit(self) -> None:
        if not self._ending.is_set():
            self.at_exit("The process ended before the work was finished.")
        if not self.close():
            where = "its counts are lost" if self.job is None else "unconfirmed outcomes stay in the journal"
            log_once(f"{self._name}: the site does not answer; {where}")

    def _after_fork(self) -> None:
        self._is_off, self._lock, self._ending = True, threading.Lock(), threading.Event()
        self._counts, self._calls = {}, deque()


def fields_of(error: str = "", result: Any = None, log: str = "") -> dict[str, Any]:
    """Return these fields of an outcome as they are sent."""
    text = ItemLog()
    text.add(log)
    fields = {"error": clean_sentence(error), "result": None if result is None else as_json_object(result)}
    return {**{name: value for name, value in fields.items() if value}, **(text.body() if log else {})}
