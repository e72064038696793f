"""`manage.py watchdog`: the watchdog as a process of its own."""

from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.watchdog_loop import act_once, sweep_once, watch

MAX_SECONDS = 86_400.0


def seconds(text: str) -> float:
    """Parse a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"Enter a number of seconds, not {text!r}") from error
    if not 0 < value <= MAX_SECONDS:
        raise ArgumentTypeError("Enter more than 0 seconds and at most 86,400")
    return value


class Command(BaseCommand):
    """Expire leases, pass watermarks, mark stuck jobs, continue bulk acts. Any number of these may run at once."""

    help = "Expire leases, pass watermarks, mark stuck jobs, continue bulk acts; until SIGTERM, or once with --once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --once and --interval."""
        parser.add_argument("--once", action="store_true", help="sweep once and exit; exit 1 after a failure")
        parser.add_argument(
            "--interval", type=seconds, default=settings.WATCHDOG_INTERVAL, help="seconds between two sweeps"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Sweep; SIGTERM and SIGINT end the loop after the current sweep."""
        if once:
            if not sweep_once():
                raise CommandError("The sweep failed. See the log for the error.")
            act_once()
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watch(stop, interval=interval)
