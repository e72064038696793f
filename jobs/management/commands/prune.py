"""`manage.py prune`: delete old data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs import watchdog
from jobs.rules.formatting import pluralize


class Command(BaseCommand):
    """Delete old jobs, timeline rows, dead letters, bulk acts and workers, and sessions that have ended."""

    help = (
        "Delete finished jobs, timeline rows and dead letters after the days of the settings RETENTION_*, bulk acts"
        " after 90 days, workers that sent no heartbeat for 30 days and hold no items, and sessions that have ended."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="print the numbers and delete nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Delete, or only count, and print the numbers."""
        found = watchdog.prune(dry_run=dry_run)
        verb = "would be deleted" if dry_run else "deleted"
        counts = f"{found.jobs} jobs, {found.events} timeline rows, {found.bulk_acts} bulk acts"
        self.stdout.write(f"{counts}, {found.letters} dead letters and {found.workers} workers {verb}.")
        if found.undelivered_jobs:
            jobs, events = pluralize(found.undelivered_jobs, "old job"), pluralize(found.undelivered_events, "event")
            self.stdout.write(f"{jobs} kept: {events} not delivered yet. See the list of deliveries.")
