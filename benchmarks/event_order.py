"""Changes with an event each, in several processes: `DATABASE_URL=postgres://… python -m benchmarks.event_order`.

Measures ids from the sequence against ids from the counter row, in turn and in the same run. PostgreSQL only; the
database must be migrated, and the jobs of the run stay in it.
"""

from __future__ import annotations

import logging
import sys
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from uuid import uuid4

import django

django.setup()

from django.db import connections  # noqa: E402

from jobs import tracking  # noqa: E402
from jobs.change import Actor  # noqa: E402
from jobs.db import event_order  # noqa: E402
from jobs.models import Phase  # noqa: E402

logging.disable(logging.WARNING)
BY = Actor(name="bench")
CHANGES = 150
ROUNDS = 3
# Above every id of the sequence.
FAR = 10**12


def changes(counter: bool) -> float:
    """Return the seconds of CHANGES changes, each of which completes a job and so writes outward events."""
    if counter:
        event_order.next_ids = _counted
    jobs = [tracking.create_job(name=uuid4().hex, by=BY).job for _ in range(CHANGES)]
    phases = list(Phase.objects.select_related("job").filter(job__in=jobs))
    begun = perf_counter()
    for phase in phases:
        tracking.finish(phase, by=BY)
    seconds = perf_counter() - begun
    connections.close_all()
    return seconds


def _counted(count: int, *, outward: bool) -> list[int]:
    return [FAR + number for number in event_order.next_ids_of_counter(count)]


def rate(processes: int, *, counter: bool) -> float:
    """Return changes a second of all processes together."""
    with get_context("spawn").Pool(processes) as pool:
        pool.map(changes, [counter] * processes, chunksize=1)
        slowest = max(pool.map(changes, [counter] * processes, chunksize=1))
    return processes * CHANGES / slowest


def main(processes: int) -> None:
    """Print the median of both, and their ratio."""
    counter, sequence = [], []
    for _ in range(ROUNDS):
        counter.append(rate(processes, counter=True))
        sequence.append(rate(processes, counter=False))
    rates = median(counter), median(sequence)
    figures = f"counter {rates[0]:.0f}/s, sequence {rates[1]:.0f}/s, ratio {rates[1] / rates[0]:.2f}"
    sys.stdout.write(f"{processes} processes: {figures}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
