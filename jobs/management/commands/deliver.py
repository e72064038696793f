"""`manage.py deliver`: outward events to their endpoints, as a process of its own."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.commands.watchdog import seconds
from jobs.management.deliverer_loop import deliver_once, deliver_until


class Command(BaseCommand):
    """Send outward events to webhooks and to the broker. Any number of these may run at once."""

    help = "Send outward events to their endpoints, until SIGTERM or, with --once, what is due now."

    def add_arguments(self, parser: CommandParser) -> None:
        """--once and --interval."""
        parser.add_argument("--once", action="store_true", help="send what is due one time; exit 1 if that failed")
        parser.add_argument("--interval", type=seconds, default=settings.DELIVERY_INTERVAL, help="seconds")

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Send; SIGTERM and SIGINT end the loop after the waves that are under way."""
        if once:
            if not deliver_once():
                raise CommandError("The pass failed; the log says why.")
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        deliver_until(stop, interval=interval)
