"""Speed of the client on a job of items without work: one order as JSON on stdin, seconds as JSON on stdout.

The order has `url`, `token` and `job` (its name). The client is the package of this checkout, with its journal, in a
process of its own; it chooses the size of its claims.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.measures import BULK_LANES, NOTHING, Sizes, report_body
from benchmarks.site import ROOT, Site
from benchmarks.table import Row

sys.path.insert(0, str(ROOT / "client"))

from progress_client import Client

BATCH = 100
ROUNDS = 3
LARGE = "drain-large"


def order(sizes: Sizes) -> dict[str, Any]:
    """Return the jobs that the database must hold."""
    return {"jobs": 20, "lists": {**dict.fromkeys(_names(), sizes.drained), LARGE: sizes.drained_large}}


def drains(site: Site, sizes: Sizes) -> Iterator[Row]:
    """Measure one process that drains jobs against a view without work, and a large job against small ones."""
    bodies = [report_body(start=n * BATCH, count=BATCH) for n in range(sizes.drained // BATCH)]
    seconds: list[float] = []
    received: list[float] = []
    for name in _names():
        received.append(sizes.drained / site.load(NOTHING, bodies=bodies, lanes=BULK_LANES)["seconds"])
        seconds.append(_drained(site, name))
    rate = sizes.drained / median(seconds)
    what = f"one client drains {sizes.drained:,} items"
    yield Row(what, "items/s", rate, median(received), f"an empty DRF view, reports of {BATCH}", figure=5000)
    figures = 1e6 * _drained(site, LARGE) / sizes.drained_large, 1e6 * median(seconds) / sizes.drained
    yield Row(f"1,000 items of a job of {sizes.drained_large:,}", "ms", *figures, f"of {sizes.drained:,}", at_most=1.2)


def _names() -> list[str]:
    return [f"drain-{number}" for number in range(ROUNDS)]


def _drained(site: Site, job: str) -> float:
    where = {"url": f"http://127.0.0.1:{site.port}", "token": site.bearer["Authorization"].split()[1]}
    return float(site.run("benchmarks.drain", order={**where, "job": job}))


def drained(client: Client, name: str) -> float:
    """Return the seconds from the first claim until every report is answered."""
    job = client.job(name)
    begun = perf_counter()
    for item in job.claim(progress=False):
        with item:
            pass
    client.flush()
    return perf_counter() - begun


def main(given: dict[str, Any]) -> float:
    """Run the order."""
    with (
        tempfile.TemporaryDirectory() as journal,
        Client(given["url"], token=given["token"], journal=Path(journal)) as client,
    ):
        return drained(client, given["job"])


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
