"""Loop of the deliverer, which continues after every failure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from threading import Event, Thread
from time import monotonic

import structlog
from django.conf import settings
from django.db import close_old_connections

from jobs import notifications, outbox, watchdog
from jobs.db.reachability import log_failure
from jobs.management.loop_thread import LoopThread
from jobs.watchdog import process_heartbeats

log = structlog.get_logger(__name__)

# The loop checks `stop` at least this often, in seconds.
MAX_WAIT = 0.2
LOG_SECONDS = 10.0


def deliver_once() -> bool:
    """Send what is due at every endpoint; False if that failed, which is logged."""
    close_old_connections()
    try:
        outbox.declare_exchange()
        log_counts(outbox.deliver())
        log_messages(notifications.notify())
        process_heartbeats.beat(process_heartbeats.DELIVERER)
        report_silent_watchdog()
    except Exception as error:
        log_failure(log, "delivery_pass_failed", error)
        return False
    finally:
        close_old_connections()
    return True


def log_counts(counts: Mapping[str, int]) -> None:
    """Log the number of deliveries that were sent, will be retried or are dead, if there were any."""
    if any(counts.values()):
        log.info("delivered", **counts)


def log_messages(counts: Mapping[str, int]) -> None:
    """Log the number of messages to people that were sent or have failed, if there were any."""
    if any(counts.values()):
        log.info("notified", **counts)


def look_once(dispatcher: outbox.Dispatcher) -> None:
    """Look for what is due; a look that succeeds is a heartbeat of this process."""
    close_old_connections()
    try:
        if dispatcher.look() and process_heartbeats.beat(process_heartbeats.DELIVERER):
            report_silent_watchdog()
    except Exception as error:
        log_failure(log, "heartbeat_failed", error)


def report_silent_watchdog() -> None:
    """Open an incident where no watchdog is alive; the watchdog ends it."""
    for silence in process_heartbeats.silences():
        if silence.kind == process_heartbeats.WATCHDOG:
            watchdog.watchdog_is_silent(f"{silence.sentence} {silence.consequence} Start it: {silence.command}")


def deliver_until(stop: Event, *, interval: float, timeout: float | None = None) -> bool:
    """Look every `interval` seconds until `stop` is set; False if deliveries did not end in `timeout` seconds then."""
    dispatcher = outbox.Dispatcher(stop=stop)
    Thread(target=outbox.declare_exchange, name="exchange", daemon=True).start()
    notifying = NotifierThread(stop, interval=interval)
    notifying.start()
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
    return notifying.finish(timeout) and ended


class NotifierThread:
    """Loop of the messages to people, in a thread of its own: events and messages do not wait for each other."""

    def __init__(self, stop: Event, *, interval: float) -> None:
        self._stop, self._interval = stop, interval
        self._ended = False
        self._thread = Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def finish(self, timeout: float | None) -> bool:
        """Wait for the messages that are on their way; False if some take longer than `timeout` seconds."""
        self._thread.join(timeout)
        return self._ended

    def _run(self) -> None:
        notifier = notifications.Notifier()
        look_at = log_at = monotonic()
        while not self._stop.is_set():
            if monotonic() >= look_at:
                close_old_connections()
                notifier.look()
                look_at = monotonic() + self._interval
            notifier.turn(min(MAX_WAIT, max(0.0, look_at - monotonic())))
            if monotonic() >= log_at or notifier.idle:
                log_messages(notifier.counts)
                notifier.counts.clear()
                log_at = monotonic() + LOG_SECONDS
        self._ended = notifier.finish(None)
        close_old_connections()


def deliverer_thread() -> LoopThread:
    """Return the thread of a server's deliverer."""
    return LoopThread("deliverer", partial(deliver_until, interval=settings.DELIVERY_INTERVAL))
