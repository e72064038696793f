"""The deliverer as a loop: each endpoint has a lane of its own, so that a slow one holds up nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event, Thread

import structlog
from django.conf import settings
from django.db import close_old_connections

from jobs import heartbeats, outbox

log = structlog.get_logger(__name__)

LANES = 8
LANE_LIMIT = 20_000


def deliver_once() -> bool:
    """Send what is due at every endpoint; False if that failed, which the log tells."""
    close_old_connections()
    try:
        tell(outbox.deliver())
        heartbeats.beat(heartbeats.DELIVERER)
    except Exception:
        log.exception("delivery_pass_failed")
        return False
    finally:
        close_old_connections()
    return True


def tell(counts: Mapping[str, int]) -> None:
    """Say what a pass or a lane did, if it did anything."""
    if any(counts.values()):
        log.info("delivered", **counts)


class Deliveries:
    """Starts a lane for each endpoint that has something due, unless one runs for it already."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._running: dict[int, Future[None]] = {}
        self._threads = ThreadPoolExecutor(LANES, thread_name_prefix="lane")

    def look(self) -> None:
        """One look at what is due; if it fails, the next one follows."""
        close_old_connections()
        try:
            self._running = {key: lane for key, lane in self._running.items() if not lane.done()}
            for key, lane in outbox.lanes_due(stop=self._stop).items():
                if key not in self._running:
                    self._running[key] = self._threads.submit(run_lane, lane)
            heartbeats.beat(heartbeats.DELIVERER)
        except Exception:
            log.exception("delivery_pass_failed")
        finally:
            close_old_connections()

    def end(self, timeout: float | None) -> bool:
        """Wait for the lanes, which the flag ends after their wave; False if some take longer."""
        unfinished = wait(self._running.values(), timeout=timeout).not_done
        self._threads.shutdown(wait=not unfinished, cancel_futures=True)
        return not unfinished


def run_lane(lane: outbox.Lane) -> None:
    """Send what is due at one endpoint, in a thread; the next look starts it again if that failed."""
    close_old_connections()
    try:
        tell(lane.run(limit=LANE_LIMIT))
    except Exception:
        log.exception("lane_failed")
    finally:
        close_old_connections()


def deliver_until(stop: Event, *, interval: float, timeout: float | None = None) -> bool:
    """Look every `interval` seconds until `stop` is set; False if lanes did not end in `timeout` seconds then."""
    deliveries = Deliveries(stop)
    while not stop.is_set():
        deliveries.look()
        stop.wait(interval)
    return deliveries.end(timeout)


class Deliverer:
    """The loop in a thread of its own."""

    def __init__(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._run, name="deliverer", daemon=True)

    def start(self) -> None:
        """Begin with what fell due while nothing ran."""
        self._thread.start()

    def stop(self, *, timeout: float) -> bool:
        """End after the waves that are under way; False if that takes longer than `timeout` seconds."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        deliver_until(self._stop, interval=settings.DELIVERY_INTERVAL)
