"""`manage.py recount`: compare the counters of phases with their items."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jobs import watchdog


class Command(BaseCommand):
    """Compare counters with items."""

    help = "Compare the counters of every phase with its items; print each difference; exit 1 if there is any."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --repair."""
        parser.add_argument("--repair", action="store_true", help="make the counters equal the items")

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        """Print the differences; exit 1 when there were any, repaired or not."""
        differences = watchdog.recount(repair=repair)
        for found in differences:
            self.stdout.write(
                f"{found.job} {found.phase}: {found.counter} is {found.stored}, but its items give {found.items}"
                + (" (repaired)" if repair else "")
            )
        if differences:
            sys.exit(1)
        self.stdout.write("Every counter equals its items.")
