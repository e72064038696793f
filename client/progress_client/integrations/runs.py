"""Runs of a scheduler as jobs, and jobs that a task of a scheduler waits for."""

from __future__ import annotations

import logging
from typing import Any

from progress_client.client import Client
from progress_client.errors import ProgressError
from progress_client.integrations.problems import shared_client
from progress_client.integrations.reporter import Reporter
from progress_client.job import Job

log = logging.getLogger(__name__)


class JobNotCompleted(ProgressError):
    """The job that was waited for has failed or was cancelled."""


def wait(job: Job | int | str, *, client: Client | None = None) -> Job:
    """Wait for a job, by its id or name, and log its stages. JobNotCompleted unless it completes."""
    found = job if isinstance(job, Job) else (client or shared_client()).named(job)
    stage = ""
    for body in found.watch():
        if body["stage"] != stage:
            stage = body["stage"]
            log.info("%s: %s", found.name, stage)
    if found.status != "completed":
        raise JobNotCompleted(f"Job {found.name} is {found.status}: {found.body['error'] or 'see its page'}.")
    return found


class Runs:
    """The reporter of each run that this process has a part in."""

    def __init__(self) -> None:
        self._reporters: dict[str, Reporter] = {}

    def reporter(self, run: str, name: str, **options: Any) -> Reporter:
        """Return the reporter of a run; the first call makes it. Other processes may report the same run."""
        reporter = self._reporters.get(run)
        if reporter is None:
            reporter = self._reporters[run] = Reporter(name, **options)
            reporter.at_exit = lambda _: reporter.leave()
        return reporter

    def known(self, run: str) -> Reporter | None:
        """Return the reporter of a run if this process has made it."""
        return self._reporters.get(run)

    def leave(self, run: str) -> None:
        """Send what waits for at most a few seconds, and forget the run."""
        reporter = self._reporters.pop(run, None)
        if reporter:
            reporter.close()

    def finish(self, run: str, *, error: str = "") -> None:
        """End the job of a run. An error is that of an item of its own, so that the job shows it."""
        reporter = self._reporters.pop(run, None)
        if reporter:
            if error:
                reporter.outcome("run", "failed", error=error)
            reporter.finish()
            reporter.close()
