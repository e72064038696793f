"""Loop of the deliverer, which continues after every failure."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Thread
from time import monotonic

import structlog
from django.conf import settings
from django.db import close_old_connections

from jobs import outbox, watchdog
from jobs.watchdog import process_heartbeats

log = structlog.get_logger(__name__)

# The loop checks `stop` at least this often, in seconds.
MAX_WAIT = 0.2
LOG_SECONDS = 10.0


def deliver_once() -> bool:
    """Send what is due at every endpoint; False if that failed, which is logged."""
    close_old_connections()
    try:
        log_counts(outbox.deliver())
        process_heartbeats.beat(process_heartbeats.DELIVERER)
        report_silent_watchdog()
    except Exception:
        log.exception("delivery_pass_failed")
        return False
    finally:
        close_old_connections()
    return True


def log_counts(counts: Mapping[str, int]) -> None:
    """Log the number of deliveries that were sent, will be retried or are dead, if there were any."""
    if any(counts.values()):
        log.info("delivered", **counts)


def look_once(dispatcher: outbox.Dispatcher) -> None:
    """Look for what is due; a look that succeeds is a heartbeat of this process."""
    close_old_connections()
    try:
        if dispatcher.look() and process_heartbeats.beat(process_heartbeats.DELIVERER):
            report_silent_watchdog()
    except Exception:
        log.exception("heartbeat_failed")


def report_silent_watchdog() -> None:
    """Open an incident where no watchdog is alive; the watchdog ends it."""
    for silence in process_heartbeats.silences():
        if silence.kind == process_heartbeats.WATCHDOG:
            watchdog.watchdog_is_silent(f"{silence.sentence} {silence.consequence} Start it: {silence.command}")


def deliver_until(stop: Event, *, interval: float, timeout: float | None = None) -> bool:
    """Look every `interval` seconds until `stop` is set; False if deliveries did not end in `timeout` seconds then."""
    dispatcher = outbox.Dispatcher(stop=stop)
    look_at = log_at = monotonic()
    while not stop.is_set():
        now = monotonic()
        if now >= look_at:
            look_once(dispatcher)
            look_at = monotonic() + interval
        if now >= log_at or dispatcher.idle:
            log_counts(dispatcher.counts)
            dispatcher.counts.clear()
            log_at = monotonic() + LOG_SECONDS
        dispatcher.turn(min(MAX_WAIT, max(0.0, look_at - monotonic())))
    ended = dispatcher.finish(timeout)
    log_counts(dispatcher.counts)
    close_old_connections()
    return ended


class Deliverer:
    """Loop in a thread of its own."""

    def __init__(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._run, name="deliverer", daemon=True)

    def start(self) -> None:
        """Start the thread; it begins with the deliveries that are due already."""
        self._thread.start()

    def stop(self, *, timeout: float) -> bool:
        """End after the deliveries that are under way; False if that takes longer than `timeout` seconds."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        deliver_until(self._stop, interval=settings.DELIVERY_INTERVAL)
