"""Trainings as jobs, for the callbacks of the libraries: counted steps, and epochs with their metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from progress_client.client import Client
from progress_client.integrations.loops import default_name
from progress_client.integrations.reporter import Reporter
from progress_client.job import Job

# Reading a metric may wait for the graphics card.
METRICS_SECONDS = 5.0
STEPS, EPOCHS = "steps", "epochs"

Metrics = Mapping[str, Any]


class Training:
    """One training at a time: `begin`, `step` and `epoch` until `finish` or `fail`.

    The settings given to `begin` are the metadata of the job. Metrics are the result of their epoch, and the newest
    ones are the message of the heartbeat. `is_cancelled` is true after an operator has cancelled the job.
    """

    def __init__(self, job: Job | str = "", *, client: Client | None = None, **options: Any) -> None:
        self._job, self._client, self._options = job, client, options
        self._reporter: Reporter | None = None
        self._steps, self._epochs, self._shown_at = 0, 0, 0.0
        self._reported, self._expected = 0, 0

    @property
    def is_cancelled(self) -> bool:
        """Whether the training should stop."""
        return self._reporter is not None and self._reporter.is_cancelled

    def begin(self, *, steps: int | None, epochs: int | None, settings: Metrics, done: int = 0) -> None:
        """Create the job; `done` steps of an earlier process count as skipped."""
        phases = [
            {"code": STEPS, "label": "Steps", **_expected(steps)},
            {"code": EPOCHS, "label": "Epochs", "weight": 0, **_expected(epochs)},
        ]
        known = {"phases": phases, "metadata": numbers(settings)}
        name = self._job or default_name()
        self._reporter = Reporter(name, client=self._client, **{**known, **self._options})
        self._reporter.at_exit = self.fail
        self._steps = self._epochs = self._reported = 0
        self._expected = epochs or 0
        if done:
            self._reporter.count(0, skipped=done, phase=STEPS)
            self._steps = done

    def step(self, done: int, metrics: Callable[[], Metrics] | None = None) -> None:
        """Count up to `done` steps since the beginning of the training. `metrics` is called now and then."""
        if self._reporter and done > self._steps:
            self._reporter.count(done - self._steps, phase=STEPS)
            self._steps = done
            if metrics and time.monotonic() - self._shown_at >= METRICS_SECONDS:
                self.show(metrics())

    def epoch(self, number: int, metrics: Metrics) -> None:
        """Report an epoch, counted from 1."""
        if self._reporter and number > self._epochs:
            self._epochs, self._reported = number, self._reported + 1
            self._reporter.outcome(f"epoch {number}", phase=EPOCHS, result=numbers(metrics))
            self.show(metrics)

    def show(self, metrics: Metrics) -> None:
        """Show metrics with the job."""
        if self._reporter and metrics:
            self._shown_at = time.monotonic()
            texts = [f"{name} {_text(value)}" for name, value in numbers(metrics).items()]
            self._reporter.show(" · ".join([f"step {self._steps}", *texts]))

    def finish(self) -> None:
        """Finish the job; after an early stop it is partial."""
        if self._reporter:
            self._end_epochs(self._reporter)
            self._reporter.finish(STEPS, EPOCHS)

    def fail(self, error: str) -> None:
        """Fail the job."""
        if self._reporter:
            self._end_epochs(self._reporter)
            self._reporter.fail(error, phase=STEPS)

    def close(self, *, timeout: float = 60.0) -> bool:
        """Wait until all is reported, before a process that ends without `atexit`."""
        return self._reporter is None or self._reporter.close(timeout=timeout)

    def _end_epochs(self, reporter: Reporter) -> None:
        """Announce the epochs that there were: an open phase would keep the job open."""
        if not self._expected or self._reported != self._expected:
            reporter.announce(self._reported, phase=EPOCHS)


def numbers(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as JSON: numbers and texts, NaN as a text, a tensor of one number as that number."""
    return {str(name): value for name, given in metrics.items() if (value := _plain(given)) is not None}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return number if math.isfinite(number) else str(number)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _expected(total: int | None) -> dict[str, int]:
    return {"expected": int(total)} if total is not None and total > 0 else {}
