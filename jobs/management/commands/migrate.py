"""`manage.py migrate`: Django's command, which shows that a long migration is at work and how long each has taken."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any

from django.core.management.commands import migrate

SHOW_EVERY = 5.0


class Command(migrate.Command):
    """Migrate, with the seconds of each migration that takes longer than one."""

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        """Show the seconds while a migration runs, and after it."""
        if self.verbosity >= 1 and action in ("apply_start", "unapply_start"):
            super().migration_progress_callback(action, migration, fake)
            self._clock = Clock(self.stdout)
        elif self.verbosity >= 1 and action in ("apply_success", "unapply_success"):
            self.stdout.write(self._clock.stop(), ending="")
            super().migration_progress_callback(action, migration, fake)
        else:
            super().migration_progress_callback(action, migration, fake)


class Clock:
    """Seconds of a migration on the terminal, written by a thread of its own."""

    def __init__(self, output: Any) -> None:
        self._output = output
        self._begun = time.monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._show, name="clock", daemon=True)
        self._thread.start()

    def stop(self) -> str:
        """Stop, and return the seconds if they are worth a word."""
        self._ended.set()
        self._thread.join()
        seconds = time.monotonic() - self._begun
        return f" ({seconds:.0f} s)" if seconds >= 1 else ""

    def _show(self) -> None:
        while not self._ended.wait(SHOW_EVERY):
            self._output.write(f" {time.monotonic() - self._begun:.0f} s …", ending="")
            self._output.flush()
