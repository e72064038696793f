"""Files as the old tracker left them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT, total_images INTEGER, processed_count INTEGER DEFAULT 0,
    error_count INTEGER DEFAULT 0, status TEXT, created_at TEXT, updated_at TEXT);
CREATE TABLE images (id INTEGER PRIMARY KEY, job_id INTEGER, image_path, split TEXT, status TEXT, error_message TEXT,
    processed_at TEXT);
CREATE TABLE upload_batches (id INTEGER PRIMARY KEY, job_id INTEGER, batch_number, image_count, status TEXT,
    error_message TEXT, uploaded_at TEXT);
"""
IMAGES = "INSERT INTO images (job_id, image_path, split, status, error_message, processed_at) VALUES (?, ?, ?, ?, ?, ?)"
BATCHES = "INSERT INTO upload_batches (job_id, batch_number, image_count, status, error_message) VALUES (?, ?, ?, ?, ?)"
JOBS = "INSERT INTO jobs (id, name, processed_count, error_count, created_at) VALUES (?, ?, ?, ?, ?)"


def run(path: Path, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement for each of these rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(sql, rows)
        connection.commit()


def make(path: Path, schema: str = SCHEMA) -> Path:
    """An empty database of the old tracker."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
    return path


def image(
    path: Any, status: str | None = "pending", *, job: int | None = 1, split: Any = "train", error: str | None = None
) -> list[Any]:
    """A row of `images`; a settled one has its time."""
    return [job, path, split, status, error, "2025-11-02 10:00:00" if status in ("completed", "error") else None]


def make_usual(path: Path) -> Path:
    """Two jobs: ten images in every status with three batches, and one that is done."""
    make(path)
    run(path, JOBS, [[1, "cats", 4, 2, "2025-11-01 09:00:00"], [2, "dogs", 2, 0, "2025-11-03 09:00:00"]])
    statuses = ["completed"] * 4 + ["error"] * 2 + ["processing"] + ["pending"] * 3
    rows = [image(f"c{n}.jpg", status, error=f"broken {n}" * (status == "error")) for n, status in enumerate(statuses)]
    rows += [image(f"d{n}.jpg", "completed", job=2, split="val") for n in range(2)]
    run(path, IMAGES, rows)
    run(path, BATCHES, [[1, 1, 100, "uploaded", None], [1, 2, 50, "error", "full"], [1, 3, 7, "pending", None]])
    return path
