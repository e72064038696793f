"""`manage.py import_tracker`: bring a database of the old image tracker in."""

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
MOST_SENTENCES = 20
ORDER = (ItemStatus.COMPLETED, ItemStatus.FAILED, ItemStatus.PROCESSING, ItemStatus.PENDING)
COLUMNS = (
    Column("JOB", least=16),
    Column(""),
    *(Column(title, right=True) for title in ("IMAGES", "COMPLETED", "ERROR", "PROCESSING", "PENDING")),
    Column("BATCHES", right=True),
    Column("UPLOADED", right=True),
)


class Command(BaseCommand):
    """Prints what the file says and what is here; exit 1 where they differ, 3 where there is no such file."""

    help = "Import jobs, images and upload batches of an old tracker's SQLite file. Doing it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE and --dry-run."""
        parser.add_argument("file", type=Path, help="the old tracker's database")
        parser.add_argument("--dry-run", action="store_true", help="only say what the file holds")

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
        complaints = [sentence for found in jobs for sentence in found.left_out]
        orphans = orphans_of(old)
        complaints += [f"{orphans} images are left out: the file has no job for them."] if orphans else []
        for sentence in complaints[:MOST_SENTENCES]:
            self.stderr.write(clean(sentence))
        self._conclude(jobs, complaints=len(complaints), dry_run=dry_run)

    def _job(self, old: OldFile, found: Imported, *, dry_run: bool) -> Imported:
        for sentence in own_counters(found):
            self.stderr.write(clean(sentence))
        if not dry_run and found.is_named:
            try:
                bring_in(old, found)
            except Refused as error:
                found.left_out.append(f"{found.job.name}: {error.detail}")
        return found

    def _conclude(self, jobs: Sequence[Imported], *, complaints: int, dry_run: bool) -> None:
        if complaints > MOST_SENTENCES:
            self.stderr.write(f"… and {complaints - MOST_SENTENCES} more.")
        different = [] if dry_run else [found for found in jobs if not found.is_equal]
        if different or complaints:
            raise CommandError(
                f"{len(different)} of {len(jobs)} jobs differ from the file, {complaints} things are left out.",
                returncode=FAILED,
            )
        self.stderr.write(
            "Nothing was written." if dry_run else "Everything is here as the file says.", self.style.SUCCESS
        )


def orphans_of(old: OldFile) -> int:
    """How many images belong to no job; none where the file is too damaged to tell."""
    try:
        return old.images_of_no_job()
    except sqlite3.Error:
        return 0


def surveys(old: OldFile) -> list[Imported]:
    """What the file says of each job; of two with one name the second is left out, and so is one that is damaged."""
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
    """What the file says of a job, and what is here where that differs."""
    said = ["file", *figures(found.images), *uploads(found.batches)]
    here = ["here", *figures(found.images_here), *uploads(found.batches_here)]
    rows: list[list[Cell | str]] = [[Cell(found.job.name, "bold"), *said]]
    if dry_run:
        return rows
    if said[1:] == here[1:]:
        return [[Cell(found.job.name, "bold"), Cell("equal", "green"), *said[1:]]]
    return [*rows, ["", *(Cell(text, "red" if text != other else "") for text, other in zip(here, said, strict=True))]]


def figures(counts: Counter[ItemStatus]) -> list[str]:
    """The figures of images."""
    return [f"{number:,}" for number in (counts.total(), *(counts[status] for status in ORDER))]


def uploads(counts: Counter[ItemStatus]) -> list[str]:
    """The figures of upload batches."""
    return [f"{counts.total():,}", f"{counts[ItemStatus.COMPLETED]:,}"]


def own_counters(found: Imported) -> list[str]:
    """Where the old tracker's own counters did not equal its images."""
    pairs = (
        ("processed_count", found.job.processed, found.images[ItemStatus.COMPLETED]),
        ("error_count", found.job.errors, found.images[ItemStatus.FAILED]),
    )
    return [
        f"{found.job.name}: the file's {name} says {told}, its images say {real}; the images count."
        for name, told, real in pairs
        if told is not None and told != real
    ]
