"""`manage.py watchdog`: the time verbs as a process of their own."""

from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.watchdog_loop import act_once, sweep_once, watch

LONGEST = 86_400.0


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds") from error
    if not 0 < value <= LONGEST:
        raise ArgumentTypeError("the interval must be above 0 seconds and at most a day")
    return value


class Command(BaseCommand):
    """Expire leases, pass watermarks, mark stuck jobs, go on with bulk acts. Any number of these may run at once."""

    help = "Expire leases, pass watermarks, mark stuck jobs, go on with bulk acts; until SIGTERM, or once with --once."

    def add_arguments(self, parser: CommandParser) -> None:
        """--once and --interval."""
        parser.add_argument("--once", action="store_true", help="sweep one time; exit 1 if that failed")
        parser.add_argument("--interval", type=seconds, default=settings.WATCHDOG_INTERVAL, help="seconds")

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Sweep; SIGTERM and SIGINT end the loop after the sweep that runs."""
        if once:
            if not sweep_once():
                raise CommandError("The sweep failed; the log says why.")
            act_once()
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watch(stop, interval=interval)
