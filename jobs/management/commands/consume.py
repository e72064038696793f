"""`manage.py consume`: events of producers, from RabbitMQ."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.management.commands.watchdog import seconds

try:
    from jobs.inbox import consumer
except ImportError:  # pika is not installed where no broker is used
    consumer = None  # type: ignore[assignment]

INTERVAL = 2.0


class Command(BaseCommand):
    """Take events from the broker. Any number of these may run at once."""

    help = "Take events from the broker's queue, until SIGTERM or, with --once, until the queue is empty."

    def add_arguments(self, parser: CommandParser) -> None:
        """--once and --interval."""
        parser.add_argument("--once", action="store_true", help="take what waits; exit 1 if that failed")
        parser.add_argument(
            "--interval", type=seconds, default=INTERVAL, help="seconds until a broken connection is tried again"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        """Consume; SIGTERM and SIGINT end it after the message that is being taken."""
        if not settings.AMQP_URL:
            raise CommandError("AMQP_URL is not set; there is no broker to read from.")
        if consumer is None:
            raise CommandError("The client of the broker is missing; install requirements-scale.txt.")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        reader = consumer.Consumer(settings.AMQP_URL, stop)
        if not once:
            reader.run(interval=interval)
            return
        try:
            taken = reader.drain()
        except consumer.FAILURES as error:
            raise CommandError(f"The queue was not emptied: {error!r}") from error
        self.stdout.write(f"{taken} messages taken.")
