"""`manage.py deliver`: send outward events to their endpoints, as a process of its own."""

from __future__ import annotations

import signal
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.commands.watchdog import seconds
from jobs.management.deliverer_loop import deliver_once, deliver_until


class Command(BaseCommand):
    """Send outward events to webhooks and to the broker. Any number of these may run at once."""

    help = "Send outward events to their endpoints until SIGTERM, or with --once those that are due now."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --once and --interval."""
        parser.add_argument("--once", action="store_true", help="send what is due and exit; exit 1 after a failure")
        parser.add_argument(
            "--interval", type=seconds, default=settings.DELIVERY_INTERVAL, help="seconds between two passes"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Send; SIGTERM and SIGINT end the loop after the deliveries that are under way."""
        if once:
            if not deliver_once():
                raise CommandError("The delivery failed. See the log for the error.")
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # Not in this thread: a signal that interrupts SimpleQueue.get() after its time has passed makes it wait for
        # ever in Python 3.11, and only the main thread gets signals.
        loop = Thread(target=deliver_until, args=(stop,), kwargs={"interval": interval}, name="deliverer")
        loop.start()
        loop.join()
