"""The figures of the database as text, read at most every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from progress_site.metrics.figures import figures

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_cached: tuple[float, bytes] = (float("-inf"), b"")


def database_metrics() -> bytes:
    """Return the figures; several scrapers share one reading, and those that come meanwhile wait for it."""
    global _cached
    with _lock:
        read_at, text = _cached
        if time.monotonic() - read_at >= settings.METRICS_SECONDS:
            text = generate_latest(_registry())
            _cached = time.monotonic(), text
        return text


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return registry


class _Figures(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield the figures, or only that the database does not answer."""
        begin = time.perf_counter()
        try:
            found = list(figures())
        except (DatabaseError, InterfaceError) as error:
            log.warning("metrics_without_database", reason=type(error).__name__)
            found = []
        yield GaugeMetricFamily("progress_database_up", "1 if the database answered.", value=int(bool(found)))
        yield from found
        seconds = time.perf_counter() - begin
        yield GaugeMetricFamily("progress_scrape_seconds", "Seconds that reading the figures took.", value=seconds)

    def describe(self) -> list[Metric]:
        """Describe nothing, so that registration reads nothing."""
        return []
