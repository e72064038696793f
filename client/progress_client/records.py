"""Journal lines: JSON objects with a checksum that detects damage. Pure."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from zlib import crc32

BEGINNING = re.compile(rb'\{"(?:progress_client|n|told)":')
CHECKSUM = re.compile(rb',"crc":"([0-9a-f]{8})"\}')
# Limits of the search in a damaged text: how often each byte is read, and the bytes that a try costs by itself.
MOST_TRIES, COST_OF_A_TRY = 16, 256

Entry = dict[str, Any]
Row = dict[str, Any]


@dataclass
class Content:
    """Content of a journal file: waiting outcomes by number, and damaged lines.

    `server` is the one of the first line, empty if that line is damaged. `torn` is the number of bytes of a
    half-written last line.
    """

    server: str = ""
    waiting: dict[int, Entry] = field(default_factory=dict)
    damaged: list[bytes] = field(default_factory=list)
    torn: int = 0

    def add(self, row: Row) -> None:
        """Apply a line."""
        if "entry" in row:
            self.waiting[row["n"]] = row["entry"]
        for number in row.get("told", ()):
            self.waiting.pop(number, None)
        self.server = row.get("server", self.server)


def line(row: Mapping[str, Any]) -> bytes:
    """Encode a line with its checksum. TypeError or ValueError if it is not JSON."""
    body = json.dumps(row, separators=(",", ":"), allow_nan=False).encode()
    return b'%s,"crc":"%08x"}\n' % (body[:-1], crc32(body))


def parse(raw: bytes) -> Content:
    """Parse a file line by line. Lines without a checksum are valid only if the first line has none."""
    content = Content()
    *lines, last = raw.split(b"\n")
    has_checksums = bool(lines) and _checked(lines[0]) is not None
    for text in filter(None, lines):
        row = _checked(text) or (None if has_checksums else _plain(text))
        rows = [row] if row else _hidden(text)
        if not rows:
            content.damaged.append(text)
        for row in rows:
            content.add(row)
    rows = _hidden(last)
    content.torn = 0 if rows else len(last)
    for row in rows:
        content.add(row)
    return content


def waiting(raw: bytes, *, server: str) -> dict[int, Entry]:
    """Return the unconfirmed outcomes of a file by number; none if it belongs to another server."""
    content = parse(raw)
    return content.waiting if content.server in ("", server) else {}


def _checked(text: bytes) -> Row | None:
    """Parse a line; None if its checksum is missing or wrong."""
    found = CHECKSUM.fullmatch(text[-18:])
    body = text[:-18] + b"}"
    return _object(body) if found and int(found[1], 16) == crc32(body) else None


def _plain(text: bytes) -> Row | None:
    """Parse a line without a checksum; None if it has an unknown shape."""
    row = _object(text) or {}
    is_entry = row.keys() == {"n", "entry"} and _is_number(row["n"]) and isinstance(row["entry"], dict)
    is_told = row.keys() == {"told"} and isinstance(row["told"], list) and all(map(_is_number, row["told"]))
    is_first = row.keys() == {"progress_client", "server"} and isinstance(row["server"], str)
    return row if is_entry or is_told or is_first else None


def _hidden(text: bytes) -> list[Row]:
    """Find valid lines in a text whose line break is damaged or missing.

    A payload may look like the beginning or the end of a line, so every pair would have to be tried. The limit keeps
    the work proportional to the text.
    """
    found: list[Row] = []
    beginnings = [match.start() for match in BEGINNING.finditer(text)]
    after, effort = 0, MOST_TRIES * len(text)
    for end in (match.end() for match in CHECKSUM.finditer(text)):
        upto = bisect_left(beginnings, end)
        for number in chain(range(after, upto), range(after)):
            begin = beginnings[number]
            effort -= end - begin + COST_OF_A_TRY
            if effort < 0:
                return found
            row = _checked(text[begin:end])
            if row:
                found.append(row)
                after = upto
                break
    return found


def _object(text: bytes) -> Row | None:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
