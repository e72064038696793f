"""A drop-in for `joblib.Parallel` whose calls are counted in a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import joblib

from progress_client.client import Client
from progress_client.integrations.loops import counter, ended_early, length_of
from progress_client.integrations.problems import logged
from progress_client.integrations.reporter import Reporter
from progress_client.job import Job


class Parallel(joblib.Parallel):
    """`Parallel(n_jobs=4, job="resize")(delayed(work)(path) for path in paths)`.

    Each run needs a job of its own: a name, by default the program and the time. `total` is the number of calls, if
    they come from a generator.
    """

    def __init__(
        self,
        *arguments: Any,
        job: Job | str = "",
        total: int | None = None,
        client: Client | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._progress = {"job": job, "total": total, "client": client}
        self._reporter: Reporter | None = None
        self._counted = 0

    def __call__(self, iterable: Iterable[Any]) -> Any:
        """Run the calls."""
        self._counted = 0
        total = self._progress["total"]
        with logged("a run of joblib is not reported"):
            known = length_of(iterable) if total is None else total
            self._reporter = counter(**{**self._progress, "total": known})  # type: ignore[arg-type]
        try:
            results = super().__call__(iterable)
        except BaseException as error:
            self._end(f"{type(error).__name__}: {error}")
            raise
        if self.return_generator:
            return self._generated(results)
        self._end("")
        return results

    def print_progress(self) -> None:
        """Count the calls that are done; joblib calls this after each batch, in any of its threads."""
        done, self._counted = self.n_completed_tasks - self._counted, self.n_completed_tasks
        if self._reporter and done > 0:
            self._reporter.count(done)
        super().print_progress()

    def _generated(self, results: Iterator[Any]) -> Iterator[Any]:
        error = ended_early(self._counted, self._progress["total"])  # type: ignore[arg-type]
        try:
            yield from results
            error = ""
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            raise
        finally:
            self._end(error)

    def _end(self, error: str) -> None:
        reporter, self._reporter = self._reporter, None
        if reporter and error:
            reporter.fail(error)
        elif reporter:
            reporter.finish()
