"""Checks from inside: settings, database, clock, Redis, broker, watchdog and deliverer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs.db.reachability import missing_migrations, why_unreachable
from jobs.live.channel_check import round_trip
from jobs.management.doctor.findings import Finding, fault, ok, warning
from jobs.rules.formatting import format_duration
from jobs.watchdog import process_heartbeats

try:
    import pika
except ImportError:  # pika is optional: it is in requirements-scale.txt
    pika = None

CLOCK_SECONDS = 2.0
SILENT_SECONDS = process_heartbeats.SILENT_AFTER.total_seconds()
BROKER_SECONDS = 5.0
SERVER_TIME = {"postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8"}


def checks() -> Iterator[Finding]:
    """Yield the findings. Without a database those that need it are left out."""
    yield from _settings()
    database = _database()
    yield database
    if database.status == "ok":
        yield from _of_database()
    yield _redis()
    yield _broker()


def _settings() -> Iterator[Finding]:
    if settings.DEBUG:
        yield fault("settings", "DEBUG is on, so error pages show settings and code.", "Set DEBUG=off.")


def _database() -> Finding:
    why = why_unreachable()
    if why:
        cause, _, remedy = why.partition(". Check ")
        return fault("database", f"{cause}.", f"Check {remedy}")
    return ok("database", f"{connection.vendor} {settings.DATABASES['default']['NAME']} answers.")


def _of_database() -> Iterator[Finding]:
    missing = missing_migrations()
    yield fault("migrations", missing, "python manage.py migrate") if missing else ok("migrations", "All are applied.")
    yield clock("clock", _database_time() if connection.vendor in SERVER_TIME else time.time(), "the database")
    if not missing:
        yield from (_process(kind, seen_at) for kind, seen_at in process_heartbeats.last_heard().items())


def clock(check: str, theirs: float, place: str) -> Finding:
    """Compare the time of another machine with that of this one."""
    ahead = theirs - time.time()
    if abs(ahead) > CLOCK_SECONDS:
        word = "ahead of" if ahead > 0 else "behind"
        return fault(
            check,
            f"The clock of {place} is {abs(ahead):.0f} s {word} that of this machine.",
            "Let every machine keep its time by NTP: leases and watermarks go by it.",
        )
    return ok(check, f"The clock of {place} is that of this machine.")


def _database_time() -> float:
    with connection.cursor() as cursor:
        cursor.execute(SERVER_TIME[connection.vendor])
        return float(cursor.fetchone()[0])


def _process(kind: str, seen_at: datetime | None) -> Finding:
    start = f"Start it: {process_heartbeats.COMMANDS[kind]} (or manage.py serve, which contains it)."
    if seen_at is None:
        return fault(kind, "No such process has ever sent a heartbeat.", start)
    age = max(0.0, (timezone.now() - seen_at).total_seconds())
    if age > SILENT_SECONDS:
        return fault(kind, f"The last heartbeat was {format_duration(age)} ago.", start)
    return ok(kind, f"The last heartbeat was {age:.0f} s ago.")


def _redis() -> Finding:
    if not settings.REDIS_URL:
        return warning("redis", "REDIS_URL is not set.", "Set it if more than one server process serves browsers.")
    fix = "Check REDIS_URL, REDIS_PASSWORD, and that Redis runs."
    return _reached("redis", "A message went through Redis.", async_to_sync(round_trip), fix)


def _broker() -> Finding:
    if not settings.AMQP_URL:
        return ok("broker", "AMQP_URL is not set; no events go to or come from RabbitMQ.")
    if pika is None:
        return fault("broker", "The package pika is missing.", "Install requirements-scale.txt.")
    return _reached("broker", "RabbitMQ accepts the account.", _connect, "Check AMQP_URL, AMQP_PASSWORD and RabbitMQ.")


def _connect() -> None:
    parameters = pika.URLParameters(settings.AMQP_URL)
    parameters.socket_timeout = parameters.blocked_connection_timeout = BROKER_SECONDS
    pika.BlockingConnection(parameters).close()


def _reached(check: str, text: str, act: Callable[[], None], remedy: str) -> Finding:
    try:
        act()
    except Exception as error:
        return fault(check, f"No connection: {type(error).__name__} {error}".strip(), remedy)
    return ok(check, text)
