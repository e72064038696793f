"""`manage.py consume`: read events of producers from RabbitMQ."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.commands.watchdog import seconds

try:
    from jobs.inbox import consumer
except ImportError:  # pika is optional: it is in requirements-scale.txt
    consumer = None  # type: ignore[assignment]

INTERVAL = 2.0


class Command(BaseCommand):
    """Read events from the broker. Any number of these may run at once."""

    help = "Read events from the broker's queue until SIGTERM, or with --once until the queue is empty."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --once and --interval."""
        parser.add_argument(
            "--once", action="store_true", help="read the waiting messages and exit; exit 1 after a failure"
        )
        parser.add_argument(
            "--interval", type=seconds, default=INTERVAL, help="seconds until it reconnects after a failure"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Consume; SIGTERM and SIGINT end it after the current message."""
        if not settings.AMQP_URL:
            raise CommandError("Set AMQP_URL to the broker to read from.")
        if consumer is None:
            raise CommandError("The package pika is missing. Install requirements-scale.txt.")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        reader = consumer.Consumer(settings.AMQP_URL, stop)
        if not once:
            reader.run(interval=interval)
            return
        try:
            messages = reader.drain()
        except consumer.FAILURES as error:
            raise CommandError(f"Reading the queue failed. Check the broker and AMQP_URL: {error!r}") from error
        self.stdout.write(f"{messages} messages read.")
