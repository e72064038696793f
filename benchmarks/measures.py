"""Measurements. Each takes its rounds in turn with its baseline and counts the medians."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from statistics import median
from typing import Any

from benchmarks.site import Site
from benchmarks.table import Row

LANES = 32
BULK = 500
BULK_LANES = 4
NOTHING = "/api/v1/nothing"
PAGES = (
    ("overview", "/admin/"),
    ("admin's list of jobs", "/admin/jobs/job/"),
    ("REST list of jobs", "/api/v1/jobs"),
    ("REST list of stuck jobs", "/api/v1/jobs?stuck=true"),
)


@dataclass(frozen=True)
class Sizes:
    """Sizes of the measurements."""

    rounds: int
    singles: int
    bulks: int
    costs: int
    reads: int
    few_jobs: int
    many_jobs: int
    small_phase: int
    large_phase: int
    events: int
    backlog: int
    drained: int
    drained_large: int

    def order(self, *, jobs: int) -> dict[str, Any]:
        """Return the jobs that the database must hold."""
        lists = {
            "small": self.small_phase,
            "large": self.large_phase,
        }
        return {"jobs": jobs, "lists": lists}


FULL = Sizes(
    rounds=5, singles=4000, bulks=24, costs=60, reads=20,
    few_jobs=1000, many_jobs=100_000, small_phase=1000, large_phase=1_000_000,
    events=20_000, backlog=100_000, drained=20_000, drained_large=200_000,
)  # fmt: skip
QUICK = Sizes(
    rounds=3, singles=1000, bulks=8, costs=40, reads=8,
    few_jobs=1000, many_jobs=10_000, small_phase=1000, large_phase=50_000,
    events=5000, backlog=20_000, drained=10_000, drained_large=50_000,
)  # fmt: skip


def cost_of_size(site: Site, sizes: Sizes) -> Iterator[Row]:
    """Measure a report on a large phase against one on a small phase, alternating: as a call and over HTTP."""
    steps = {"small": sizes.small_phase, "large": sizes.large_phase}
    calls = [
        {"job": site.ids[name], "start": start, "count": 1}
        for places in zip(*(spread(size, number=sizes.rounds * sizes.costs) for size in steps.values()), strict=True)
        for name, start in zip(steps, places, strict=True)
    ]
    times = site.run("benchmarks.verbs", order=calls)
    what = f"a report on {sizes.large_phase:,} items"
    versus = f"on {sizes.small_phase:,} items"
    yield Row(f"{what}, the verb alone", "ms", *milliseconds(times[1::2], times[0::2]), versus, at_most=1.1)
    served: dict[str, list[float]] = {"small": [], "large": []}
    places = {name: iter(spread(size, number=sizes.rounds * sizes.costs, offset=1)) for name, size in steps.items()}
    for _ in range(sizes.rounds):
        for name, times in served.items():
            bodies = [report_body(start=next(places[name])) for _ in range(sizes.costs)]
            times.append(site.load(report_path(site, name), bodies=bodies)["median_seconds"])
    yield Row(f"{what}, over HTTP", "ms", *milliseconds(served["large"], served["small"]), versus, at_most=1.1)


def page_times(many: Site, few: Site, sizes: Sizes) -> Iterator[Row]:
    """Measure pages over many jobs against the same pages over few."""
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(sizes.rounds + 1):
        for _, path in PAGES:
            for name, site in (("few", few), ("many", many)):
                bodies = [""] * (sizes.reads if number else 3)
                seconds = site.load(path, method="GET", bodies=bodies)["median_seconds"]
                if number:
                    times.setdefault((path, name), []).append(seconds)
    for what, path in PAGES:
        figures = milliseconds(times[path, "many"], times[path, "few"])
        yield Row(f"{what}, {sizes.many_jobs:,} jobs", "ms", *figures, f"{sizes.few_jobs:,} jobs", at_most=1.5)


def deliveries(site: Site, sizes: Sizes) -> Iterator[Row]:
    """Measure deliveries to RabbitMQ against bare pika with the same confirms, and reports in front of a backlog."""
    names = ("events", "backlog")
    order = {"rounds": 3, "reports": sizes.costs, **{name: getattr(sizes, name) for name in names}}
    figures = site.run("benchmarks.outbox", order=order)
    backlog = milliseconds(figures["behind"], figures["idle"])
    what = f"a report that completes, {sizes.backlog:,} events waiting"
    yield Row(what, "ms", *backlog, "none waiting", at_most=1.1)
    if figures["bare"]:
        rates = median(figures["delivered"]), median(figures["bare"])
        yield Row("deliveries to RabbitMQ with confirms", "events/s", *rates, "bare pika", **_target(*rates))


def _target(measured: float, baseline: float) -> dict[str, float]:
    """Return the target: half of the rate of bare pika, or 2,000 a second."""
    return {"at_least": 0.5} if measured / baseline >= 0.5 else {"figure": 2000}


def milliseconds(measured: list[float], baseline: list[float]) -> tuple[float, float]:
    """Return the medians of both, in milliseconds."""
    return median(measured) * 1000, median(baseline) * 1000


def spread(size: int, *, number: int, offset: int = 0) -> list[int]:
    """Return item numbers from the whole range of a phase; another offset gives other numbers."""
    step = size // number
    return [place * step + offset for place in range(number)]


def report_path(site: Site, name: str) -> str:
    """Return the address for reports of this job."""
    return f"/api/v1/jobs/{site.ids[name]}/phases/items/report"


def report_body(*, start: int, count: int = 1) -> str:
    """Return a report of completed items."""
    results = [
        {"key": f"k{number}", "status": "completed", "result": {"checksum": checksum(number)}}
        for number in range(start, start + count)
    ]
    return json.dumps({"worker": "w1", "results": results})


def checksum(number: int) -> str:
    """Return a checksum as a worker would send it."""
    return blake2b(str(number).encode(), digest_size=16).hexdigest()
