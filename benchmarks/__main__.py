"""`python -m benchmarks [--quick] [--only single|bulk|cost|pages|events|client]`: measure, and print one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import drain, measures
from benchmarks.measures import FULL, QUICK, Sizes
from benchmarks.site import Site
from benchmarks.table import Row, table

PARTS = ("single", "bulk", "cost", "pages", "events", "client")


def measured(folder: Path, sizes: Sizes, only: str) -> Iterator[Row]:
    """Yield every row, or those of one part."""
    say("filling the databases")
    many = Site(folder, name="many", order=sizes.order(jobs=sizes.many_jobs))
    few = Site(folder, name="few", order={"jobs": sizes.few_jobs, "lists": {}})
    parts = {
        "single": lambda: measures.single_reports(many, sizes),
        "bulk": lambda: measures.bulk_reports(many, sizes),
        "cost": lambda: measures.cost_of_size(many, sizes),
        "pages": lambda: measures.page_times(many, few, sizes),
        "events": lambda: measures.deliveries(Site(folder, name="events", order={"jobs": 20, "lists": {}}), sizes),
        "client": lambda: drains(folder, sizes),
    }
    with ExitStack() as servers:
        for site in (many, few):
            servers.enter_context(site.serving())
        for name in [only] if only else PARTS:
            say(f"measuring {name}")
            yield from parts[name]()


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
