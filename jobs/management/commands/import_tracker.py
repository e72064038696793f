"""`manage.py import_tracker`: import a database of the old image tracker."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from progress_client.command.tables import Cell, Column, clean, table

from jobs.management.terminal.arguments import terminal_style
from jobs.rules.errors import Refused
from jobs.rules.statuses import ItemStatus
from jobs.tracker.legacy_db import NotATracker, OldFile, Unreadable, opened
from jobs.tracker.legacy_import import Imported, bring_in, survey

FAILED, NOT_FOUND = 1, 3
MAX_SENTENCES = 20
ORDER = (ItemStatus.COMPLETED, ItemStatus.FAILED, ItemStatus.PROCESSING, ItemStatus.PENDING)
COLUMNS = (
    Column("JOB", least=16),
    Column(""),
    *(Column(title, right=True) for title in ("IMAGES", "COMPLETED", "ERROR", "PROCESSING", "PENDING")),
    Column("BATCHES", right=True),
    Column("UPLOADED", right=True),
)


class Command(BaseCommand):
    """Print the counts of the file and of this site; exit 1 if they differ, 3 if there is no such file."""

    help = "Import jobs, images and upload batches of an old tracker's SQLite file. It can be repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add FILE and --dry-run."""
        parser.add_argument("file", type=Path, help="the old tracker's database")
        parser.add_argument("--dry-run", action="store_true", help="print the counts of the file and write nothing")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        """Import job by job, then compare the counts."""
        if not file.is_file():
            raise CommandError(f"There is no file {str(file)!r}.", returncode=NOT_FOUND)
        try:
            with opened(file) as old:
                self._import(old, dry_run=dry_run, options=options)
        except NotATracker as error:
            raise CommandError(f"{file}: {clean(str(error))}", returncode=FAILED) from None

    def _import(self, old: OldFile, *, dry_run: bool, options: dict[str, Any]) -> None:
        jobs = [self._job(old, found, dry_run=dry_run) for found in surveys(old)]
        rows = [row for found in jobs for row in lines(found, dry_run=dry_run)]
        self.stdout.write("\n".join(table(COLUMNS, rows, terminal_style(self.stdout, options))))
        left_out = [sentence for found in jobs for sentence in found.left_out]
        orphans = orphans_of(old)
        left_out += [f"{orphans} images are left out: their job is missing in the file."] if orphans else []
        for sentence in left_out[:MAX_SENTENCES]:
            self.stderr.write(clean(sentence))
        self._conclude(jobs, left_out=len(left_out), dry_run=dry_run)

    def _job(self, old: OldFile, found: Imported, *, dry_run: bool) -> Imported:
        for sentence in own_counters(found):
            self.stderr.write(clean(sentence))
        if not dry_run and found.is_named:
            try:
                bring_in(old, found)
            except Refused as error:
                found.left_out.append(f"{found.job.name}: {error.detail}")
        return found

    def _conclude(self, jobs: Sequence[Imported], *, left_out: int, dry_run: bool) -> None:
        if left_out > MAX_SENTENCES:
            self.stderr.write(f"… and {left_out - MAX_SENTENCES} more.")
        different = [] if dry_run else [found for found in jobs if not found.is_equal]
        if different or left_out:
            raise CommandError(
                f"{len(different)} of {len(jobs)} jobs differ from the file, {left_out} entries are left out.",
                returncode=FAILED,
            )
        self.stderr.write(
            "Nothing was written." if dry_run else "All counts equal those of the file.", self.style.SUCCESS
        )


def orphans_of(old: OldFile) -> int:
    """Return the number of images without a job; 0 if the file is too damaged to count them."""
    try:
        return old.images_of_no_job()
    except sqlite3.Error:
        return 0


def surveys(old: OldFile) -> list[Imported]:
    """Survey each job of the file. A second job of the same name is left out, and so is a damaged one."""
    found, names = [], set()
    for job in old.jobs():
        try:
            one = survey(old, job)
        except Unreadable as error:
            found.append(Imported(job, Counter(), Counter(), left_out=[str(error)], is_named=False))
            continue
        if job.name in names:
            one.left_out.append(f"Job {job.id} is left out: another one of this file has the name {job.name[:80]!r}.")
            one.is_named = False
        names.add(job.name)
        found.append(one)
    return found


def lines(found: Imported, *, dry_run: bool) -> list[list[Cell | str]]:
    """Return the table rows of a job: the counts of the file, and those of this site where they differ."""
    counted = ["file", *figures(found.images), *uploads(found.batches)]
    present = ["site", *figures(found.images_here), *uploads(found.batches_here)]
    rows: list[list[Cell | str]] = [[Cell(found.job.name, "bold"), *counted]]
    if dry_run:
        return rows
    if counted[1:] == present[1:]:
        return [[Cell(found.job.name, "bold"), Cell("equal", "green"), *counted[1:]]]
    pairs = zip(present, counted, strict=True)
    return [*rows, ["", *(Cell(text, "red" if text != other else "") for text, other in pairs)]]


def figures(counts: Counter[ItemStatus]) -> list[str]:
    """Return the figures of images."""
    return [f"{number:,}" for number in (counts.total(), *(counts[status] for status in ORDER))]


def uploads(counts: Counter[ItemStatus]) -> list[str]:
    """Return the figures of upload batches."""
    return [f"{counts.total():,}", f"{counts[ItemStatus.COMPLETED]:,}"]


def own_counters(found: Imported) -> list[str]:
    """Return a sentence for each counter of the old tracker that differs from its images."""
    pairs = (
        ("processed_count", found.job.processed, found.images[ItemStatus.COMPLETED]),
        ("error_count", found.job.errors, found.images[ItemStatus.FAILED]),
    )
    return [
        f"{found.job.name}: {name} in the file is {stored}, but its images give {counted}; the images are imported."
        for name, stored, counted in pairs
        if stored is not None and stored != counted
    ]
