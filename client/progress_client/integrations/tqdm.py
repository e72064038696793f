"""A drop-in for `tqdm` whose counts are also those of a job; `tqdm.pandas()` gives `progress_apply`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tqdm.auto import tqdm as _tqdm

from progress_client.client import Client
from progress_client.integrations.loops import counter, default_name, ended_early
from progress_client.integrations.problems import logged
from progress_client.integrations.reporter import Reporter
from progress_client.job import Job

__all__ = ["tqdm", "trange"]


class tqdm(_tqdm):  # noqa: N801
    """The bar of tqdm, and a job with the same counts.

    `job` is a job or a name, by default the description and the time; `client` and `job_options` are those of a
    Reporter. A bar that is closed before its end fails the job.
    """

    def __init__(
        self,
        *arguments: Any,
        job: Job | str = "",
        client: Client | None = None,
        job_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._reporter: Reporter | None = None
        self._is_iterating, self._reported, self._position, self._error = False, 0, 0.0, ""
        super().__init__(*arguments, **options)
        with logged("a bar is not reported"):
            # A bar that is disabled has no description.
            name = job or default_name(options.get("desc") or "")
            total = self._whole(getattr(self, "total", None))
            self._reporter = counter(name, total=total, client=client, **(job_options or {}))

    def __iter__(self) -> Iterator[Any]:
        """Yield from the iterable and count each pass."""
        self._is_iterating, is_whole = True, False
        try:
            for item in super().__iter__():
                yield item
                self._add(1)
            is_whole = True
        finally:
            self._is_iterating = False
            self._end(is_whole=is_whole)

    def update(self, n: float | None = 1) -> bool | None:
        """Count by hand."""
        if not self._is_iterating:
            self._add(n or 0)
        shown: bool | None = super().update(n)
        return shown

    def __exit__(self, kind: Any, error: Any, at: Any) -> Any:
        self._error = "" if kind is None else f"{kind.__name__}: {error}"
        return super().__exit__(kind, error, at)

    def close(self) -> None:
        """Close the bar and end the job; a loop over the bar ends it by itself."""
        super().close()
        if not self._is_iterating or self._error:
            self._end(is_whole=not self._error and self._reported >= (self._whole(self.total) or 0))

    def __del__(self) -> None:
        self._is_iterating = False
        super().__del__()

    def _add(self, n: float) -> None:
        # Counts are whole; a fraction waits for the next update.
        self._position += n
        whole = int(self._position) - self._reported
        if self._reporter and whole > 0:
            self._reported += whole
            self._reporter.count(whole)

    def _end(self, *, is_whole: bool) -> None:
        reporter, self._reporter = getattr(self, "_reporter", None), None
        if reporter and is_whole:
            reporter.finish()
        elif reporter:
            reporter.fail(self._error or ended_early(self._reported, self._whole(getattr(self, "total", None))))

    @staticmethod
    def _whole(total: float | None) -> int | None:
        return None if total is None or total == float("inf") else int(total)


def trange(*arguments: int, **options: Any) -> tqdm:
    """Return `tqdm(range(…))`."""
    return tqdm(range(*arguments), **options)
