"""Loop of the watchdog, which continues after every failure."""

from __future__ import annotations

from functools import partial
from threading import Event, Thread
from time import monotonic

import structlog
from django.conf import settings
from django.db import close_old_connections

from jobs import watchdog
from jobs.db.reachability import log_failure
from jobs.management.loop_thread import LoopThread
from jobs.operations import bulk
from jobs.watchdog import process_heartbeats

BULK_SECONDS = 1.0
BULK_PAUSE = 0.1
BEAT_SECONDS = 10.0
RECONCILE_SECONDS = 60.0
_reconciled_at: float | None = None

log = structlog.get_logger(__name__)


def sweep_once() -> bool:
    """Do everything that is due; False if that failed, which is logged."""
    close_old_connections()
    try:
        done = watchdog.sweep()
        done["reconciled"] = _reconcile()
        process_heartbeats.beat(process_heartbeats.WATCHDOG)
    except Exception as error:
        log_failure(log, "sweep_failed", error)
        return False
    finally:
        close_old_connections()
    if any(done.values()):
        log.info("swept", **done)
    return True


def _reconcile() -> int:
    """Compare the incidents with the present state at the first pass, then each RECONCILE_SECONDS."""
    global _reconciled_at
    if _reconciled_at is not None and monotonic() - _reconciled_at < RECONCILE_SECONDS:
        return 0
    _reconciled_at = monotonic()
    return watchdog.reconcile()


def act_once() -> bool:
    """Continue bulk acts and deletions, each for BULK_SECONDS; True if one is unfinished and this did not fail."""
    close_old_connections()
    try:
        is_acting = bulk.run_bulk_acts(seconds=BULK_SECONDS)
        return watchdog.delete_removed_jobs(seconds=BULK_SECONDS) or is_acting
    except Exception as error:
        log_failure(log, "bulk_failed", error)
        return False
    finally:
        close_old_connections()


def watch(stop: Event, *, interval: float) -> None:
    """Sweep and continue bulk acts and deletions until `stop` is set, in two threads: neither waits for the other."""
    acting = Thread(target=act_until, args=[stop], kwargs={"interval": interval}, name="bulk", daemon=True)
    acting.start()
    sweep_until(stop, interval=interval)
    acting.join()


def sweep_until(stop: Event, *, interval: float) -> None:
    """Sweep every `interval` seconds, also after a failure."""
    while not stop.is_set():
        succeeded = sweep_once()
        _pause(stop, interval, alive=succeeded)


def act_until(stop: Event, *, interval: float) -> None:
    """Continue bulk acts and deletions; while one is unfinished, pause only for BULK_PAUSE."""
    while not stop.is_set():
        stop.wait(min(interval, BULK_PAUSE) if act_once() else interval)


def _pause(stop: Event, seconds: float, *, alive: bool) -> None:
    """Wait for the next sweep. During a long pause a watchdog whose last sweep succeeded still records heartbeats."""
    while seconds > BEAT_SECONDS and not stop.wait(BEAT_SECONDS):
        seconds -= BEAT_SECONDS
        if alive:
            beat_once()
    if not stop.is_set():
        stop.wait(seconds)


def beat_once() -> None:
    """Record a heartbeat; a failure is logged."""
    close_old_connections()
    try:
        process_heartbeats.beat(process_heartbeats.WATCHDOG)
    except Exception as error:
        log_failure(log, "heartbeat_failed", error)
    finally:
        close_old_connections()


def watchdog_thread() -> LoopThread:
    """Return the thread of a server's watchdog."""
    return LoopThread("watchdog", partial(watch, interval=settings.WATCHDOG_INTERVAL))
