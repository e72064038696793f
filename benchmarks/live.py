"""Pages and sockets: how long they take while workers report at full speed, and the memory of a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.measures import LANES, Sizes, report_body, report_path
from benchmarks.site import Site
from benchmarks.table import Row

WATCHED = 200
SOCKETS = 400
WARM_READS = 3
# A round of load takes some seconds, so that the start of its process hardly counts.
REPORTS_OF_ROUND = 10_000
ROUNDS = 80
# A reader waits this long for the frame of a report.
PATIENCE = 10.0


def order(sizes: Sizes) -> dict[str, Any]:
    """Return the jobs that the database must hold."""
    return {"jobs": 100, "lists": {"hot": ROUNDS * REPORTS_OF_ROUND, "uvicorn": WATCHED, "serve": WATCHED}}


def live(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Measure pages, frames and sockets of both servers over SQLite."""
    site = Site(folder, name="live", order=order(sizes))
    site.environment["LIVE_CONNECTIONS_PER_ACCOUNT"] = str(2 * SOCKETS)
    hot = Hot(site)
    for server in ("uvicorn", "serve"):
        with site.serving(server):
            yield from rows(hot, sizes, server)


class Hot:
    """Single reports over LANES connections as fast as the server takes them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.used = 0

    @contextmanager
    def load(self) -> Iterator[None]:
        """Report within the context, round after round."""
        ended = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(self._report_until, ended)
            try:
                yield
            finally:
                ended.set()
                done.result()

    def _report_until(self, ended: threading.Event) -> None:
        while not ended.is_set():
            bodies = [report_body(start=self.used + n) for n in range(REPORTS_OF_ROUND)]
            self.used += REPORTS_OF_ROUND
            self.site.load(report_path(self.site, "hot"), bodies=bodies, lanes=LANES)


def rows(hot: Hot, sizes: Sizes, server: str) -> Iterator[Row]:
    """Measure the rows of one server."""
    site = hot.site
    overview(site, WARM_READS)
    idle = overview(site, sizes.reads)
    what = f"memory of an open socket; {server}, SQLite"
    yield Row(what, "KiB", asyncio.run(memory(site)), 256.0, "50 MiB for 200", at_most=1.0)
    with hot.load():
        busy = overview(site, sizes.reads)
    what = f"overview while {LANES} connections report; {server}, SQLite"
    yield Row(what, "ms", busy * 1000, idle * 1000, "idle", at_most=3.0)
    with hot.load():
        times = asyncio.run(frames(site, server))
    p99 = sorted(times)[len(times) * 99 // 100] * 1000
    what = f"frame of a report while {LANES} connections report, p99; {server}, SQLite"
    yield Row(what, "ms", p99, 250.0, "a quarter of a second", at_most=1.0)


def overview(site: Site, reads: int) -> float:
    """Return the median seconds of the overview."""
    return float(site.load("/admin/", method="GET", bodies=[""] * reads)["median_seconds"])


async def frames(site: Site, job: str) -> list[float]:
    """Return the seconds from sending each report to the frame that shows it."""
    times = []
    limits = httpx.Limits(max_connections=1)
    url = f"http://127.0.0.1:{site.port}{report_path(site, job)}"
    async with watching(site, job) as browser, httpx.AsyncClient(limits=limits, headers=site.bearer) as worker:
        for number in range(WATCHED - 1):  # the last one would end the job, and with it the socket
            begun = perf_counter()
            sending = asyncio.create_task(worker.post(url, content=report_body(start=number)))
            await shows(browser, number + 1)
            times.append(perf_counter() - begun)
            (await sending).raise_for_status()
            await asyncio.sleep(0.1)
    return times


def watching(site: Site, job: str) -> connect:
    """Open a socket as a browser with the page of this job."""
    return connect(
        f"ws://127.0.0.1:{site.port}/ws/jobs/{site.ids[job]}",
        additional_headers=site.cookie,
        origin=f"http://127.0.0.1:{site.port}",  # type: ignore[arg-type]
        max_size=None,
    )


async def shows(browser: ClientConnection, processed: int) -> None:
    """Read and acknowledge frames until one shows this many processed items."""
    async with asyncio.timeout(PATIENCE):
        while True:
            frame = json.loads(await browser.recv())
            job = frame.get("job") or next(iter(frame.get("jobs", ())), None)
            if job is None:
                continue
            about = {"id": job["id"], "revision": job["revision"]} if frame["type"] == "job" else {}
            await browser.send(json.dumps({"type": "ack", **about}))
            if job["phases"][0]["done"] >= processed:
                return


async def memory(site: Site) -> float:
    """Return the KiB that the server needs for each of many open sockets."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(watching(site, "hot"))
        before = site.mebibytes()
        for _ in range(SOCKETS):
            await stack.enter_async_context(watching(site, "hot"))
        await asyncio.sleep(1)
        return max((site.mebibytes() - before) * 1024 / SOCKETS, 1.0)
