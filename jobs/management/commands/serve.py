"""`manage.py serve`: HTTP, websockets, the watchdog and the deliverer in one process.

Daphne runs on Twisted's asyncio reactor: one event loop in the main thread. Django's views and the watchdog run in
threads. A message put into the in-memory channel layer from another loop would not wake a waiting consumer for
seconds. Therefore `jobs.live.broadcast` hops to the server's loop with `call_soon_threadsafe`, which wakes it at once.

On SIGTERM or Ctrl-C it stops accepting connections, completes the requests in flight (10 s at most), closes
websockets as "going away", ends the watchdog after its sweep and the deliverer after its current delivery, and
exits 0. A second signal ends the wait.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from typing import Any

import structlog
from channels.routing import get_default_application
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from jobs.db.reachability import missing_migrations
from jobs.management.daphne.server import DRAIN_SECONDS, GracefulServer
from jobs.management.deliverer_loop import deliverer_thread
from jobs.management.watchdog_loop import watchdog_thread

log = structlog.get_logger(__name__)

HIGHEST_PORT = 65_535


def port_number(text: str) -> int:
    """Parse a TCP port; with 0 the system chooses one."""
    if not (text.isascii() and text.isdigit()) or int(text) > HIGHEST_PORT:
        raise ArgumentTypeError(f"Enter a port from 0 to {HIGHEST_PORT}, not {text!r}")
    return int(text)


class Command(BaseCommand):
    """Serve the site."""

    help = "Serve HTTP and websockets, run the watchdog and deliver events, in one process."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --host and --port."""
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=port_number, default=8000, help="the TCP port (default 8000)")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        """Serve until a signal."""
        check_migrations()
        watchdog, deliverer = watchdog_thread(), deliverer_thread()
        server = GracefulServer(
            get_default_application(), host=host, port=port, ready=lambda number: self._announce(host=host, port=number)
        )
        watchdog.start()
        deliverer.start()
        server.run()
        deliverer.stop(timeout=0)
        swept = watchdog.stop(timeout=DRAIN_SECONDS)
        sent = deliverer.stop(timeout=DRAIN_SECONDS)
        if server.failed:
            raise CommandError(
                f"Cannot listen on {host}:{port}. Stop the other server on this port, or choose another --port."
            )
        if server.overdue or not swept or not sent:
            exit_at_once()
        log.info("stopped")

    def _announce(self, *, host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Progress Site listens on http://{shown}:{port}/")
        self.stdout.flush()


def check_migrations() -> None:
    """Refuse to serve from a database without all migrations."""
    missing = missing_migrations()
    connections.close_all()
    if missing:
        raise CommandError(missing)


def exit_at_once() -> None:
    """End the process although threads still work; uncommitted changes are rolled back."""
    log.error("stopped_with_work_in_flight", waited_seconds=DRAIN_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
