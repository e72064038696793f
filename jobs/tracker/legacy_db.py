"""Database file of the old tracker. Columns may be missing and rows damaged. Imports no Django."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.rules.statuses import ItemStatus

TABLES = {"jobs": ("id", "name"), "images": ("job_id", "image_path")}
# A repeated path or number counts once, with the status that comes last here.
RANKED = (ItemStatus.PENDING, ItemStatus.PROCESSING, ItemStatus.FAILED, ItemStatus.COMPLETED)
RANKS = {"completed": 3, "done": 3, "uploaded": 3, "error": 2, "failed": 2, "processing": 1}
FETCHED = 5000


class NotATracker(ValueError):
    """Error for a file that is not a database of the old tracker; the text is a sentence."""


class Unreadable(NotATracker):
    """Error for a damaged part of the file; the text is a sentence that names the part."""


@dataclass(frozen=True, slots=True)
class OldJob:
    """Row of `jobs`; `processed` and `errors` are the counters that the old tracker kept beside its images."""

    id: int
    name: str
    created_at: str | None = None
    updated_at: str | None = None
    processed: int | None = None
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class OldRow:
    """Image (`key` is its path) or upload batch (`key` is its number, `count` its images)."""

    key: str
    split: str
    status: ItemStatus
    error: str
    at: str | None
    count: Any = None


class OldFile:
    """Tables of the old tracker."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._columns = {name: self._columns_of(name) for name in ("jobs", "images", "upload_batches")}
        for table, needed in TABLES.items():
            for column in needed:
                if column not in self._columns[table]:
                    raise NotATracker(f"It has no column {column} in a table {table}, so it is not a tracker database.")

    def jobs(self) -> list[OldJob]:
        """Return every job, ordered by id."""
        names = ("id", "name", "created_at", "updated_at", "processed_count", "error_count")
        columns = ", ".join(self._column("jobs", name) for name in names)
        rows = self._connection.execute(f"SELECT {columns} FROM jobs ORDER BY id")
        return [
            OldJob(pk, _text(name) or "", _text(created), _text(updated), _number(processed), _number(errors))
            for pk, name, created, updated, processed, errors in rows
        ]

    def images(self, job: OldJob) -> Iterator[OldRow]:
        """Yield the images of a job, each path once."""
        return self._rows("images", job, key="image_path", at="processed_at")

    def batches(self, job: OldJob) -> Iterator[OldRow]:
        """Yield the upload batches of a job, each number once."""
        if not {"job_id", "batch_number"} <= self._columns["upload_batches"]:
            return iter(())
        return self._rows("upload_batches", job, key="batch_number", at="uploaded_at")

    def image_counts(self, job: OldJob) -> Counter[ItemStatus]:
        """Count the image paths in each status."""
        return self._counts("images", job, key="image_path")

    def batch_counts(self, job: OldJob) -> Counter[ItemStatus]:
        """Count the batch numbers in each status."""
        if not {"job_id", "batch_number"} <= self._columns["upload_batches"]:
            return Counter()
        return self._counts("upload_batches", job, key="batch_number")

    def images_of_no_job(self) -> int:
        """Count the images whose job is missing."""
        sql = "SELECT COUNT(*) FROM images WHERE job_id IS NULL OR job_id NOT IN (SELECT id FROM jobs)"
        return int(self._connection.execute(sql).fetchone()[0])

    # --- queries -------------------------------------------------------------------------------------

    def _rows(self, table: str, job: OldJob, *, key: str, at: str) -> Iterator[OldRow]:
        order = "id" if "id" in self._columns[table] else "rowid"
        columns = ", ".join(self._column(table, name) for name in ("split", "error_message", at, "image_count"))
        sql = (
            f"SELECT {key}, MAX({self._rank(table)}), {columns}, {order} AS place"
            f" FROM {table} WHERE job_id = ? GROUP BY {key} ORDER BY place"
        )
        for name, rank, split, error, moment, count, _ in self._read(table, job, sql):
            yield OldRow(_text(name) or "", _text(split) or "", RANKED[rank], _text(error) or "", _text(moment), count)

    def _counts(self, table: str, job: OldJob, *, key: str) -> Counter[ItemStatus]:
        furthest = f"SELECT MAX({self._rank(table)}) AS furthest FROM {table} WHERE job_id = ? GROUP BY {key}"
        rows = self._read(table, job, f"SELECT furthest, COUNT(*) FROM ({furthest}) GROUP BY furthest")
        return Counter({RANKED[rank]: number for rank, number in rows})

    def _read(self, table: str, job: OldJob, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a job; Unreadable if a page of the file is damaged."""
        try:
            cursor = self._connection.execute(sql, [job.id])
            while rows := cursor.fetchmany(FETCHED):
                yield from rows
        except (sqlite3.Error, UnicodeError) as error:
            raise Unreadable(
                f"Job {job.id!a} is left out: the rows of {job.name[:80]!a} in the table {table} cannot be read"
                f" ({error}). Repair a copy of the file: sqlite3 OLD.db .recover | sqlite3 NEW.db"
            ) from error

    def _rank(self, table: str) -> str:
        cases = " ".join(f"WHEN '{word}' THEN {rank}" for word, rank in RANKS.items())
        return f"CASE LOWER(TRIM({self._column(table, 'status')})) {cases} ELSE 0 END"

    def _column(self, table: str, name: str) -> str:
        return name if name in self._columns[table] else "NULL"

    def _columns_of(self, table: str) -> set[str]:
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}


@contextmanager
def opened(path: Path) -> Iterator[OldFile]:
    """Open the file read only; NotATracker if it is no such database or cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
            yield OldFile(connection)
    except sqlite3.Error as error:
        raise NotATracker(f"It cannot be read as a tracker database: {error}.") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
