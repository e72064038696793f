"""`python -m benchmarks [--quick] [--only ingest|live|cost|pages|events|client]`: measure, and print one table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import drain, ingest, live, measures
from benchmarks.measures import FULL, QUICK, Sizes
from benchmarks.site import Site
from benchmarks.table import Row, table

PARTS = ("ingest", "live", "cost", "pages", "events", "client")


def measured(folder: Path, sizes: Sizes, only: str) -> Iterator[Row]:
    """Yield every row, or those of one part."""
    parts = {
        "ingest": lambda: ingest.ingest(folder, sizes, postgres=os.environ.get("POSTGRES_URL", "")),
        "live": lambda: live.live(folder, sizes),
        "cost": lambda: with_jobs(folder, sizes, measures.cost_of_size),
        "pages": lambda: with_few_and_many_jobs(folder, sizes),
        "events": lambda: measures.deliveries(Site(folder, name="events", order={"jobs": 20, "lists": {}}), sizes),
        "client": lambda: drains(folder, sizes),
    }
    for name in [only] if only else PARTS:
        say(f"measuring {name}")
        yield from parts[name]()


def with_jobs(folder: Path, sizes: Sizes, measure: Callable[[Site, Sizes], Iterator[Row]]) -> Iterator[Row]:
    """Yield rows over a site with many jobs."""
    site = Site(folder, name="many", order=sizes.order(jobs=sizes.many_jobs))
    with site.serving():
        yield from measure(site, sizes)


def with_few_and_many_jobs(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Yield the rows of pages, over a site with many jobs and one with few."""
    few = Site(folder, name="few", order={"jobs": sizes.few_jobs, "lists": {}})
    with few.serving():
        yield from with_jobs(folder, sizes, lambda many, sizes: measures.page_times(many, few, sizes))


def drains(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Yield the rows of the client, over a site of their own."""
    site = Site(folder, name="drains", order=drain.order(sizes))
    with site.serving():
        yield from drain.drains(site, sizes)


def say(text: str) -> None:
    """Print the current step on stderr."""
    sys.stderr.write(f"{time.strftime('%X')} {text} ...\n")


def main() -> None:
    """Run the command. It exits 0 whether or not the targets are met; see the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios measured side by side.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--only", choices=PARTS, default="", help="one part of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="progress-bench-") as folder:
        rows = list(measured(Path(folder), QUICK if options.quick else FULL, options.only))
    sys.stdout.write(f"{table(rows)}\n")


if __name__ == "__main__":
    main()
