"""Requests of a process: latency and status by route, and open live connections.

With PROMETHEUS_MULTIPROC_DIR the numbers are in files that the processes of a machine share, and any of them answers
for all. Without it they are in memory, and each process answers for itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from progress_site.asgi_middleware import Application, Message, Receive, Scope, Send

disable_created_metrics()  # type: ignore[no-untyped-call]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALLS = frozenset({"report", "claim", "heartbeat", "count", "announce"})
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
PREFIXES = (("/api/v1/", "api"), ("/admin/", "pages"), ("/static/", "static"))
LEAN, DJANGO = "lean", "django"
STATUSES = ("2xx", "3xx", "4xx", "5xx")
KNOWN = (
    *((call, "POST", path) for call in sorted(CALLS) for path in (LEAN, DJANGO)),
    *(("api", method, DJANGO) for method in sorted(METHODS)),
    *(("pages", method, DJANGO) for method in ("GET", "POST")),
    *((route, "GET", DJANGO) for route in ("static", "probe", "other")),
)
STREAMS = ("/stream", "/events")
EVENT_STREAM = b"text/event-stream"
SERVED_BY_DJANGO = "progress.django"

registry = CollectorRegistry()
LATENCY = Histogram(
    "progress_request_seconds",
    "Seconds from a request to the start of its response.",
    ["route", "method", "path"],
    buckets=BUCKETS,
    registry=registry,
)
RESPONSES = Counter(
    "progress_responses", "Responses by the class of their status.", ["route", "status"], registry=registry
)
SOCKETS = Gauge("progress_live_sockets", "Open websockets and streams.", registry=registry, multiprocess_mode="livesum")
# The children of the labels, because to look one up costs more than to observe a value.
_latencies = {labels: LATENCY.labels(*labels) for labels in KNOWN}
_responses = {
    (route, status): RESPONSES.labels(route, status) for route in {labels[0] for labels in KNOWN} for status in STATUSES
}


def route_of(path: str) -> str:
    """Return the class of an address: a call of workers, or the part of the site."""
    for prefix, route in PREFIXES:
        if path.startswith(prefix):
            call = path[path.rfind("/") + 1 :]
            return call if route == "api" and call in CALLS else route
    return "probe" if path in PROBES else "other"


class Timed:
    """Measure the time to the start of each response. A stream or an export is measured up to its first byte."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        begin = perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _observe(scope, message["status"], perf_counter() - begin)
            await send(message)

        await self.application(scope, receive, timed)


class ServedByDjango:
    """Mark a request that the lean path has passed on."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        scope[SERVED_BY_DJANGO] = True
        await self.application(scope, receive, send)


class LiveConnections:
    """Count open websockets, and open streams of server-sent events."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the connection."""
        if scope["type"] == "http" and not scope["path"].endswith(STREAMS):
            await self.application(scope, receive, send)
            return
        is_open = False

        async def counted(message: Message) -> None:
            nonlocal is_open
            if not is_open and _opens(message):
                is_open = True
                SOCKETS.inc()
            await send(message)

        try:
            await self.application(scope, receive, counted)
        finally:
            if is_open:
                SOCKETS.dec()


def _opens(message: Message) -> bool:
    if message["type"] == "http.response.start":
        headers = {name.lower(): value for name, value in message["headers"]}
        return bool(headers.get(b"content-type", b"").startswith(EVENT_STREAM))
    return bool(message["type"] == "websocket.accept")


def _observe(scope: Scope, status: int, seconds: float) -> None:
    route, method = route_of(scope["path"]), scope["method"]
    labels = (route, method if method in METHODS else "OTHER", DJANGO if SERVED_BY_DJANGO in scope else LEAN)
    latency = _latencies.get(labels)
    if latency is None:
        latency = _latencies[labels] = LATENCY.labels(*labels)
    latency.observe(seconds)
    _responses[route, STATUSES[min(max(status // 100, 2), 5) - 2]].inc()


def request_metrics() -> CollectorRegistry:
    """Return the metrics of this process, or of all processes that share PROMETHEUS_MULTIPROC_DIR."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return registry
    _forget_ended_processes(Path(folder))
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def _forget_ended_processes(folder: Path) -> None:
    """Remove the gauges of processes that have ended. Their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            with suppress(FileNotFoundError):
                mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
