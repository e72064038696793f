"""Shared files of training workers: the numbers of each image and the tables of the session."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import images
import numpy as np
from numpy.typing import NDArray

Body = dict[str, Any]
Numbers = NDArray[np.float32]


class Lost(Exception):
    """A reported file is missing or was changed; the message says what to do."""


class Results:
    """Folder of one session below the folder that its workers share."""

    def __init__(self, shared: Path, *, session: int) -> None:
        self.shared = shared
        self.folder = shared / f"session-{session}"

    def keep(self, phase: str, item: Body, numbers: Numbers) -> Body:
        """Write the numbers of an image; return path and checksum for the report.

        The file name contains the attempt, so that a worker that lost its lease never overwrites a later file.
        """
        content = io.BytesIO()
        np.save(content, numbers, allow_pickle=False)
        path = self.folder / phase / f"{item['id']}.attempt-{item['attempt']}.npy"
        _write(path, content.getvalue())
        checksum = hashlib.sha256(content.getvalue()).hexdigest()
        return {"path": path.relative_to(self.shared).as_posix(), "checksum": checksum}

    def load(self, phase: str, item: Body) -> Numbers:
        """Load the reported numbers of an image. Lost if the file is missing or differs from the report."""
        result = item["result"] or {}
        try:
            content = images.inside(self.shared, str(result.get("path", ""))).read_bytes()
        except (OSError, images.Unreadable) as error:
            raise Lost(_lost(phase, item, f"is not in {self.shared}")) from error
        if hashlib.sha256(content).hexdigest() != result.get("checksum"):
            raise Lost(_lost(phase, item, "does not have the reported checksum"))
        numbers: Numbers = np.load(io.BytesIO(content), allow_pickle=False)
        return numbers

    def write_table(self, name: str, rows: Iterable[Body], *, columns: Iterable[str]) -> Path:
        """Write rows as a CSV file."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns))
        writer.writeheader()
        writer.writerows(rows)
        return _write(self.folder / name, text.getvalue().encode())

    def write_numbers(self, name: str, numbers: Numbers) -> Path:
        """Write numbers of the whole session."""
        content = io.BytesIO()
        np.save(content, numbers, allow_pickle=False)
        return _write(self.folder / name, content.getvalue())

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Yield True in one process at a time. The system releases the lock if that process dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "clustering.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _lost(phase: str, item: Body, why: str) -> str:
    remedy = f"start all workers with the same --out and restart the phase {phase}"
    return f"The result file of {item['key']} {why}; {remedy}."


def _write(path: Path, content: bytes) -> Path:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return path
