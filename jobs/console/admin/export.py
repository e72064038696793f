"""Lists as files, CSV or JSON: every row that the filters leave, streamed, however many there are.

A list says what its files hold: `exported = (Column("id"), Column("job", "job.name"), …)`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from jobs.console.admin.keyset_export import portions, value_of
from jobs.serializers import encode

log = structlog.get_logger(__name__)

# A spreadsheet takes a text that begins so for a formula, those of full width in some languages.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BROKEN_OFF = "This file ends early: the database did not answer. Export it again."
Rows = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a file: its name, and where its value is: a path from the row (`item.worker`, by default the
    name itself) or what makes it of the row. With `or_none` an empty text is written as null, as REST has it.
    """

    name: str
    source: str | Callable[[Any], Any] = ""
    or_none: bool = False

    @property
    def path(self) -> str:
        """The path in the words of the database; empty where a function makes the value."""
        return "" if callable(self.source) else (self.source or self.name).replace(".", "__")

    @property
    def follows(self) -> str:
        """The rows on the way, which are fetched once per portion."""
        return self.path.rpartition("__")[0]

    def read(self, row: Any) -> Any:
        """The value, of the types that JSON has, or a time."""
        value = self.source(row) if callable(self.source) else value_of(row, self.path)
        return (value or None) if self.or_none else value


class Notation(Protocol):
    """How rows are written."""

    media_type: str

    def begin(self, columns: Sequence[Column]) -> bytes:
        """What comes before the first row."""

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """These rows, in the order of their columns."""

    def end(self, *, broken_off: bool) -> bytes:
        """What comes after the last row; a file that was broken off cannot be taken for a whole one."""


class Csv:
    """RFC 4180 in UTF-8. It begins with a byte order mark, without which Excel takes it for another encoding; texts
    that a spreadsheet would take for formulas begin with an apostrophe; times are RFC 3339; null is empty.
    """

    media_type = "text/csv; charset=utf-8"

    def begin(self, columns: Sequence[Column]) -> bytes:
        """The mark, and the names."""
        return b"\xef\xbb\xbf" + _lines([[column.name for column in columns]])

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """A line per row."""
        return _lines([map(cell, row.values()) for row in values])

    def end(self, *, broken_off: bool) -> bytes:
        """Nothing, or the sentence in a line of its own."""
        return _lines([[BROKEN_OFF]]) if broken_off else b""


class Json:
    """One array of objects, a line each, values as in the bodies of REST."""

    media_type = "application/json"

    def __init__(self) -> None:
        self.between = b"\n"

    def begin(self, columns: Sequence[Column]) -> bytes:
        """The bracket."""
        return b"["

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """The objects, with what stands between them and those before."""
        between, self.between = self.between, b",\n"
        return between + b",\n".join(map(encode, values))

    def end(self, *, broken_off: bool) -> bytes:
        """The other bracket; without it no reader takes the array."""
        return b"" if broken_off else b"\n]\n"


NOTATIONS: dict[str, Callable[[], Notation]] = {"csv": Csv, "json": Json}


def cell(value: Any) -> Any:
    """A value as a cell: what is structured as JSON, what looks like a formula as text."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else str(value)
    if isinstance(value, datetime):
        return encode(value)[1:-1].decode()
    return encode(value).decode() if isinstance(value, (bool, dict, list)) else value


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def pieces(
    rows: QuerySet[Any], columns: Sequence[Column], notation: Notation, *, prepare: Callable[[Rows], Rows]
) -> Iterator[bytes]:
    """The rows of a file, a portion at a time. `prepare` makes of the rows of a portion what its columns read."""
    follows = sorted({column.follows for column in columns} - {""})
    for portion in portions(rows.prefetch_related(*follows)):
        yield notation.rows([{c.name: c.read(row) for c in columns} for row in prepare(portion)])


async def stream(columns: Sequence[Column], notation: Notation, following: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The whole file. Each portion is read in a thread, when the one before is on its way; the end is told apart
    from a database that fails.
    """
    yield notation.begin(columns)
    read = database_sync_to_async(lambda: next(following, b""), thread_sensitive=False)
    try:
        while piece := await read():
            yield piece
    except (DatabaseError, InterfaceError) as reason:
        log.warning("export_broken_off", reason=repr(reason))
        yield notation.end(broken_off=True)
    else:
        yield notation.end(broken_off=False)


def attached(
    content: Callable[[], AsyncIterator[bytes]], *, name: str, media_type: str, head: bool
) -> HttpResponseBase:
    """The answer that a browser keeps as a file of this name; nothing is read for HEAD."""
    if head:
        return HttpResponse(content_type=media_type, headers=headers_of(name))
    return StreamingHttpResponse(content(), content_type=media_type, headers=headers_of(name))


def headers_of(name: str) -> dict[str, str]:
    """What makes a browser keep an answer as a file of this name, and take it for nothing else."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Accel-Buffering": "no",
        "X-Content-Type-Options": "nosniff",
    }
