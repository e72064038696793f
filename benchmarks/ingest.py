"""Ingest: calls of workers against applications that do less, on both servers and both databases.

Every figure is the median of its rounds, and each round measures the call and its baseline in turn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit

try:
    import psycopg
except ImportError:  # only PostgreSQL needs it
    psycopg = None  # type: ignore[assignment]

from benchmarks.measures import BULK, BULK_LANES, LANES, Sizes, report_body, report_path
from benchmarks.site import Site, baselines
from benchmarks.table import Row

CLAIMED = 10
JOBS = 1000
IDLE_SECONDS = 10.0
EMPTY = "an empty DRF view on stock Django"
# At least so many times the rate of the empty DRF view.
SINGLE = {"uvicorn": 15.0, "serve": 6.0}


@dataclass
class Bench:
    """One server over one database, beside the baselines on the same server."""

    site: Site
    server: str
    database: str
    baseline: int
    sizes: Sizes
    used: int = 0
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The server and the database, for the table."""
        return f"{self.server}, {self.database}"

    def ratio(
        self, name: str, calls: Callable[[int], tuple[Any, list[str]]], *, path: str, lanes: int
    ) -> tuple[float, float]:
        """Return the median rates of these calls and of their baseline, requests a second."""
        measured, base = [], []
        for number in range(self.sizes.rounds):
            own, bodies = calls(number)
            base.append(self.rate(path, bodies, lanes=lanes, port=self.baseline))
            measured.append(self.rate(own, bodies, lanes=lanes))
        self.rates[name] = median(measured)
        return median(measured), median(base)

    def rate(self, path: Any, bodies: list[str], *, lanes: int, port: int = 0) -> float:
        """Return requests a second."""
        return len(bodies) / float(self.site.load(path, bodies=bodies, lanes=lanes, port=port)["seconds"])

    def reports(self, number: int, job: str = "hot") -> tuple[str, list[str]]:
        """Return the next single reports of a job."""
        start, self.used = self.used, self.used + number
        return report_path(self.site, job), [report_body(start=start + n) for n in range(number)]


def order(sizes: Sizes) -> dict[str, Any]:
    """Return the jobs that the database must hold."""
    singles = 12 * sizes.rounds * sizes.singles
    lists = {
        "hot": singles,
        "claims": sizes.rounds * sizes.singles * CLAIMED,
        "bulk": 2 * sizes.rounds * sizes.bulks * BULK,
        "small": sizes.small_phase,
        "large": sizes.large_phase,
        **{f"busy-{n}": 2 * sizes.rounds * sizes.singles // JOBS + 1 for n in range(JOBS)},
    }
    return {"jobs": 100, "lists": lists}


def ingest(folder: Path, sizes: Sizes, *, postgres: str = "") -> Iterator[Row]:
    """Measure every row of ingest; PostgreSQL where its address is given."""
    databases = {"SQLite": "", **({"PostgreSQL": postgres} if postgres else {})}
    rates: dict[tuple[str, str], float] = {}
    for database, address in databases.items():
        with ExitStack() as stack:
            own = stack.enter_context(own_database(address)) if address else ""
            site = Site(folder, name=f"ingest-{database}", order=order(sizes), postgres=own)
            for server in ("uvicorn", "serve"):
                with site.serving(server), baselines(server, folder) as port:
                    bench = Bench(site, server, database, port, sizes)
                    bench.used = 4 * sizes.rounds * sizes.singles * (server == "serve")
                    yield from rows(bench)
                    rates[server, database] = bench.rates["single"]
            if address:
                yield from two_processes(site, sizes)
    for server in ("uvicorn", "serve"):
        if postgres:
            both = rates[server, "PostgreSQL"], rates[server, "SQLite"]
            yield Row(f"single reports, {server}, PostgreSQL", "requests/s", *both, "SQLite", at_least=0.7)


def rows(bench: Bench) -> Iterator[Row]:
    """Measure the rows of one server over one database."""
    singles = bench.sizes.singles
    single = bench.ratio("single", lambda _: bench.reports(singles), path="/empty", lanes=LANES)
    what = f"single reports, {LANES} connections, one job; {bench.where}"
    yield Row(what, "requests/s", *single, EMPTY, at_least=SINGLE[bench.server])
    if bench.server == "uvicorn":
        raw = bench.ratio("raw", lambda _: bench.reports(singles), path="/raw", lanes=LANES)
        yield Row(what, "requests/s", *raw, "an application that reads the body", at_least=0.2)
        alone = bench.ratio("alone", lambda _: bench.reports(singles // 4), path="/raw", lanes=1)
        yield Row(f"the same, 1 connection; {bench.where}", "requests/s", *alone, "the same", at_least=0.15)
    claims = bench.ratio("claims", lambda _: claims_of(bench), path="/empty", lanes=LANES)
    what = f"claims of {CLAIMED}, {LANES} connections; {bench.where}"
    yield Row(what, "requests/s", *claims, EMPTY, at_least=6.0)
    beats = bench.ratio("beats", lambda _: heartbeats(bench), path="/empty", lanes=LANES)
    yield Row(f"heartbeats, {LANES} workers; {bench.where}", "requests/s", *beats, EMPTY, at_least=10.0)
    yield from bulk(bench)
    yield from many_jobs(bench)
    yield from size_of_phase(bench)
    yield idle(bench)


def claims_of(bench: Bench) -> tuple[str, list[str]]:
    """Return claims of as many workers as there are connections."""
    bodies = [json.dumps({"worker": f"w{n % LANES}", "limit": CLAIMED}) for n in range(bench.sizes.singles // 2)]
    return f"/api/v1/jobs/{bench.site.ids['claims']}/phases/items/claim", bodies


def heartbeats(bench: Bench) -> tuple[str, list[str]]:
    """Return heartbeats of as many workers as there are connections."""
    bodies = [json.dumps({"worker": f"w{n % LANES}"}) for n in range(bench.sizes.singles)]
    return f"/api/v1/jobs/{bench.site.ids['hot']}/heartbeat", bodies


def bulk(bench: Bench) -> Iterator[Row]:
    """Measure reports of 500 items."""
    first = bench.sizes.rounds * (bench.server == "serve")

    def bodies(number: int) -> tuple[str, list[str]]:
        starts = [((first + number) * bench.sizes.bulks + n) * BULK for n in range(bench.sizes.bulks)]
        return report_path(bench.site, "bulk"), [report_body(start=start, count=BULK) for start in starts]

    decoded, parsed, measured = [], [], []
    for number in range(bench.sizes.rounds):
        path, sent = bodies(number)
        decoded.append(BULK * bench.rate("/decoded", sent, lanes=BULK_LANES, port=bench.baseline))
        parsed.append(BULK * bench.rate("/parsed", sent, lanes=BULK_LANES, port=bench.baseline))
        measured.append(BULK * bench.rate(path, sent, lanes=BULK_LANES))
    what = f"reports of {BULK}, {BULK_LANES} connections; {bench.where}"
    rate = median(measured)
    yield Row(what, "items/s", rate, median(decoded), "an application that decodes the body", at_least=0.35)
    yield Row(what, "items/s", rate, median(parsed), "DRF parsing the body", at_least=0.6)


def many_jobs(bench: Bench) -> Iterator[Row]:
    """Measure single reports to many jobs against those to one job."""
    paths = [report_path(bench.site, f"busy-{n}") for n in range(JOBS)]
    first = bench.sizes.rounds * bench.sizes.singles * (bench.server == "serve")
    many, one = [], []
    for number in range(bench.sizes.rounds):
        start = first + number * bench.sizes.singles
        places = range(start, start + bench.sizes.singles)
        bodies = [report_body(start=place // JOBS) for place in places]
        one.append(bench.rate(*bench.reports(bench.sizes.singles), lanes=LANES))
        many.append(bench.rate([paths[place % JOBS] for place in places], bodies, lanes=LANES))
    what = f"single reports to {JOBS:,} jobs; {bench.where}"
    yield Row(what, "requests/s", median(many), median(one), "to one job", at_least=0.7)


def size_of_phase(bench: Bench) -> Iterator[Row]:
    """Measure claims of few items among many pending ones against claims among few."""
    times: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(bench.sizes.rounds):
        for name, seconds in times.items():
            bodies = [json.dumps({"worker": "w1", "limit": 1})] * 10
            path = f"/api/v1/jobs/{bench.site.ids[name]}/phases/items/claim"
            seconds.append(1000 * bench.site.load(path, bodies=bodies)["median_seconds"])
    what = f"a claim among {bench.sizes.large_phase:,} items; {bench.where}"
    versus = f"among {bench.sizes.small_phase:,}"
    yield Row(what, "ms", median(times["large"]), median(times["small"]), versus, at_most=1.2)


def idle(bench: Bench) -> Row:
    """Measure the processor time of a server without requests."""
    begun = bench.site.processor_seconds()
    time.sleep(IDLE_SECONDS)
    share = 100 * (bench.site.processor_seconds() - begun) / IDLE_SECONDS
    what = f"processor time of an idle server, {bench.site.mebibytes():.0f} MiB; {bench.where}"
    return Row(what, "% of a core", share, 1.0, "1 %", at_most=1.0)


def two_processes(site: Site, sizes: Sizes) -> Iterator[Row]:
    """Measure two processes of uvicorn on one job against one."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    used = 8 * sizes.rounds * sizes.singles
    for _ in range(sizes.rounds):
        for processes, measured in rates.items():
            with site.serving("uvicorn", processes=processes):
                warm = [report_body(start=0)] * LANES
                site.load(report_path(site, "hot"), bodies=warm, lanes=LANES)
                bodies = [report_body(start=used + n) for n in range(sizes.singles)]
                used += sizes.singles
                answer = site.load(report_path(site, "hot"), bodies=bodies, lanes=LANES)
                measured.append(sizes.singles / answer["seconds"])
    what = "single reports, one job, two processes of uvicorn; PostgreSQL"
    yield Row(what, "requests/s", median(rates[2]), median(rates[1]), "one process", at_least=1.0)


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Provide the address of an empty database of this server, which is dropped afterwards."""
    name = "progress_bench"
    _execute(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: str, *statements: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
