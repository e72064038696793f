"""Heartbeats of the watchdog and the deliverer processes.

Each loop calls `beat` after a successful pass. The row in the database is written at most every ten seconds, so the
number of processes hardly matters.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from jobs.models import ProcessHeartbeat
from jobs.rules.formatting import format_duration
from jobs.rules.limits import NAME_LENGTH

KINDS = WATCHDOG, DELIVERER = "watchdog", "deliverer"
SILENT_AFTER = timedelta(minutes=1)
WRITE_EVERY = timedelta(seconds=10)
KEEP = timedelta(days=1)

CONSEQUENCES = {
    WATCHDOG: "Expired leases are not freed, watermarks do not pass, stuck jobs are not marked and bulk acts wait.",
    DELIVERER: "Events are stored but not sent to their endpoints.",
}
COMMANDS = {WATCHDOG: "python manage.py watchdog", DELIVERER: "python manage.py deliver"}


_lock = threading.Lock()
_serving_since: datetime | None = None
_beats: dict[str, datetime] = {}
_written: dict[str, datetime] = {}


@dataclass(frozen=True, slots=True)
class Silence:
    """A kind of process without a heartbeat for a minute; `seen_at` is None if there never was one."""

    kind: str
    seen_at: datetime | None
    now: datetime

    @property
    def sentence(self) -> str:
        """The silence in words: `No watchdog process has sent a heartbeat for 5 min.`"""
        if self.seen_at is None:
            return f"No {self.kind} process has ever sent a heartbeat."
        silence = format_duration((self.now - self.seen_at).total_seconds())
        return f"No {self.kind} process has sent a heartbeat for {silence}."

    @property
    def consequence(self) -> str:
        """The work that is not done in the meantime."""
        return CONSEQUENCES[self.kind]

    @property
    def command(self) -> str:
        """The command that starts such a process."""
        return COMMANDS[self.kind]


def serving_starts(now: datetime | None = None) -> None:
    """Record the start of this web process; for its first minute it reports no process as silent."""
    global _serving_since
    _serving_since = now or timezone.now()


def beat(kind: str) -> bool:
    """Record that a loop of this kind is alive in this process; True where the row was written."""
    now = timezone.now()
    with _lock:
        _beats[kind] = now
        last = _written.get(kind)
        if last is not None and timedelta(0) <= now - last < WRITE_EVERY:
            return False
        _written[kind] = now
    if last is None:
        ProcessHeartbeat.objects.filter(seen_at__lt=now - KEEP).delete()
    row = ProcessHeartbeat(kind=kind, name=_name(), seen_at=now)
    ProcessHeartbeat.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["kind", "name"], update_fields=["seen_at"]
    )
    return True


def last_heard() -> dict[str, datetime | None]:
    """Return the time of the latest heartbeat of each kind of process, in one query."""
    rows = ProcessHeartbeat.objects.order_by().values_list("kind").annotate(Max("seen_at"))
    stored: dict[str, datetime] = dict(rows)
    return {kind: _latest(stored.get(kind), _beats.get(kind)) for kind in KINDS}


def silences(now: datetime | None = None, *, heard: Mapping[str, datetime | None] | None = None) -> list[Silence]:
    """Return the kinds of processes without a heartbeat for a minute; `heard` are the last ones, read otherwise.

    A kind without any heartbeat counts as silent only in a process that has served for a minute. Before that, and in
    a command, it may not have started yet.
    """
    at = now or timezone.now()
    found = [(kind, seen_at, _latest(seen_at, _serving_since)) for kind, seen_at in (heard or last_heard()).items()]
    return [Silence(kind, seen_at, at) for kind, seen_at, since in found if since and at - since > SILENT_AFTER]


def _latest(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)


def _name() -> str:
    return f"{socket.gethostname()[: NAME_LENGTH - 20]}:{os.getpid()}"
