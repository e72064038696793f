"""Loops as jobs: `track()` counts the passes of a loop."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from progress_client.client import Client
from progress_client.integrations.reporter import Reporter
from progress_client.job import Job

T = TypeVar("T")


def track(
    iterable: Iterable[T],
    job: Job | str = "",
    *,
    total: int | None = None,
    client: Client | None = None,
    **options: Any,
) -> Iterator[T]:
    """Yield from an iterable and count each pass of the loop in a job, sent once a second.

    `job` is a job or a name; without it the program names it, with the time. A loop that ends early fails the job.
    `options` are those of `Client.job`.
    """
    known = length_of(iterable) if total is None else total
    reporter = counter(job, total=known, client=client, **options)
    done = 0
    try:
        for item in iterable:
            yield item
            reporter.count()
            done += 1
    except GeneratorExit:
        reporter.fail(ended_early(done, known))
        raise
    except BaseException as error:
        reporter.fail(f"{type(error).__name__}: {error}")
        raise
    reporter.finish()


def counter(job: Job | str = "", *, total: int | None = None, client: Client | None = None, **options: Any) -> Reporter:
    """Make a reporter of a job with one counted phase."""
    phases = [{"code": "items", **({} if total is None else {"expected": total})}]
    return Reporter(job or default_name(), client=client, **{"phases": phases, **options})


def length_of(iterable: Iterable[Any]) -> int | None:
    """Return the length of a sequence, None if it has none."""
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def default_name(what: str = "") -> str:
    """Name a job after the program and the time: `resize 2026-11-30 12:00:00 9f2c`."""
    program = what or Path(sys.argv[0] or "python").stem
    # Two programs may start within a second.
    return f"{program[:150]} {datetime.now():%Y-%m-%d %H:%M:%S} {token_hex(2)}"


def ended_early(done: int, total: int | None) -> str:
    """Say that a loop was left before its end."""
    return f"The loop ended after {done} of {'an unknown number' if total is None else total}."
