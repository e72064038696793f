"""The dead file: outcomes that the site has rejected, kept beside the journal for an operator.

One file of JSON lines for each server, shared by all processes. A row is synced before the journal drops the outcome.
Without a journal the rows are kept in memory.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any

from progress_client.buffer import Outcome
from progress_client.journal import read_all

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SETTLED = ("applied", "duplicate")

Row = dict[str, Any]


class DeadFile:
    """Rejected outcomes of one server, in the journal's folder or in memory."""

    def __init__(self, folder: Path | None, *, server: str) -> None:
        mark = blake2b(server.encode(), digest_size=4).hexdigest()
        self.path = folder / f"dead.{mark}.jsonl" if folder else None
        self._memory: list[Row] = []

    def __str__(self) -> str:
        return str(self.path or "client.refused")

    def add(self, rows: Sequence[Row]) -> None:
        """Store rejected outcomes durably. OSError if they cannot be written."""
        if not rows:
            return
        if self.path is None:
            self._memory += rows
            return
        with self._locked(self.path) as file:
            content = read_all(file)
            text = b"".join(_line(row) for row in rows)
            _write_all(file, b"\n" + text if content and not content.endswith(b"\n") else text)
            os.fsync(file)

    def rows(self) -> list[Row]:
        """Read all rows, the oldest first."""
        if self.path is None:
            return list(self._memory)
        try:
            return _rows(self.path.read_bytes())
        except FileNotFoundError:
            return []

    @contextmanager
    def emptied(self) -> Iterator[list[Row]]:
        """Yield all rows and empty the file, unless the body of `with` raises."""
        if self.path is None:
            yield list(self._memory)
            self._memory.clear()
        elif not self.path.exists():
            yield []
        else:
            with self._locked(self.path) as file:
                yield _rows(read_all(file))
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
    """Build the row of a rejected outcome: the outcome and the reason."""
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    why = {"status": status, "code": code, "detail": detail}
    return {"at": at, "key": outcome.body.get("key", ""), **why, **outcome.entry()}


def refused_rows(outcomes: Iterable[Outcome], results: Iterable[Row]) -> list[Row]:
    """Return the rows of the outcomes that the site did not apply, and log each of them."""
    found = []
    for outcome, result in zip(outcomes, results):
        if result["outcome"] in SETTLED:
            continue
        code, detail = result["outcome"], str(result.get("detail", ""))
        log.warning("not counted: %s is %s. %s", result["key"], code, detail)
        # A stale outcome (a later attempt counts) and a given back item need no row.
        if code != "stale" and outcome.body.get("status") != "pending":
            found.append(dead_row(outcome, status=200, code=code, detail=detail))
    return found


def _rows(content: bytes) -> list[Row]:
    """Parse the valid lines; skip a line that was cut off or damaged."""
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
    """Write everything, or restore the previous size."""
    size = os.fstat(file).st_size
    left = text
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        os.ftruncate(file, size)
        raise
