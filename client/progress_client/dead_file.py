"""The dead file: outcomes that the site has refused for good, kept beside the journal until somebody looks at them.

One file for each server, shared by all processes, JSON lines, synced before the journal forgets the outcome. Without a
journal they are kept in memory.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any

from progress_client.buffer import Outcome
from progress_client.journal import path_bytes

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

Row = dict[str, Any]


class DeadFile:
    """Refused outcomes for one server, in the journal's folder or in memory."""

    def __init__(self, folder: Path | None, *, server: str) -> None:
        mark = blake2b(server.encode(), digest_size=4).hexdigest()
        self.path = folder / f"dead.{mark}.jsonl" if folder else None
        self._memory: list[Row] = []

    def __str__(self) -> str:
        return str(self.path or "client.refused")

    def add(self, rows: Sequence[Row]) -> None:
        """Keep refused outcomes durably. OSError where they cannot be written."""
        if not rows:
            return
        if self.path is None:
            self._memory += rows
            return
        with self._locked(self.path) as file:
            content = path_bytes(file)
            text = b"".join(_line(row) for row in rows)
            _write_all(file, b"\n" + text if content and not content.endswith(b"\n") else text)
            os.fsync(file)

    def rows(self) -> list[Row]:
        """Everything in it, the oldest first."""
        if self.path is None:
            return list(self._memory)
        try:
            return _rows(self.path.read_bytes())
        except FileNotFoundError:
            return []

    @contextmanager
    def emptied(self) -> Iterator[list[Row]]:
        """Everything in it; it is empty afterwards, unless the body of `with` raises."""
        if self.path is None:
            yield list(self._memory)
            self._memory.clear()
        elif not self.path.exists():
            yield []
        else:
            with self._locked(self.path) as file:
                yield _rows(path_bytes(file))
                os.ftruncate(file, 0)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[int]:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def dead_row(outcome: Outcome, *, status: int, code: str, detail: str) -> Row:
    """What is kept of a refused outcome: the outcome, and why it was refused."""
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    why = {"status": status, "code": code, "detail": detail}
    return {"at": at, "key": outcome.body.get("key", ""), **why, **outcome.entry()}


def _rows(content: bytes) -> list[Row]:
    """The whole lines; a line that was cut off or damaged is passed over."""
    found = []
    for line in content.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def _line(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _write_all(file: int, text: bytes) -> None:
    """Write everything, or take back what was written."""
    size = os.fstat(file).st_size
    left = text
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        os.ftruncate(file, size)
        raise
