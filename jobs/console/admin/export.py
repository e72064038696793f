"""The export of lists as CSV or JSON. Rows are streamed, so their number is not limited.

A list declares its columns: `exported = (Column("id"), Column("job", "job.name"), …)`.
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

from jobs.console.admin.keyset_export import batches
from jobs.db.keyset import value_of
from jobs.serializers import encode

log = structlog.get_logger(__name__)

# A spreadsheet takes a text with such a first character for a formula; in some languages the full-width ones too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
INCOMPLETE = "This file is incomplete: the database did not answer. Export it again."
Rows = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file.

    `source` is a path from the row (`item.worker`; default: the name) or a function of the row. With `or_none` an empty
    text is written as null, as in REST.
    """

    name: str
    source: str | Callable[[Any], Any] = ""
    or_none: bool = False

    @property
    def path(self) -> str:
        """The path as a lookup of the ORM; empty for a function."""
        return "" if callable(self.source) else (self.source or self.name).replace(".", "__")

    @property
    def follows(self) -> str:
        """The relation on the path, which is prefetched once per batch."""
        return self.path.rpartition("__")[0]

    def read(self, row: Any) -> Any:
        """Return the value: a JSON type or a time."""
        value = self.source(row) if callable(self.source) else value_of(row, self.path)
        return (value or None) if self.or_none else value


class FileFormat(Protocol):
    """A format of files."""

    media_type: str

    def begin(self, columns: Sequence[Column]) -> bytes:
        """Return the bytes before the first row."""

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """Return these rows, in the order of their columns."""

    def end(self, *, is_truncated: bool) -> bytes:
        """Return the bytes after the last row. An incomplete file must be recognizable."""


class Csv:
    """RFC 4180 in UTF-8. Times are RFC 3339, null is empty.

    The byte order mark makes Excel read UTF-8. An apostrophe precedes a text that a spreadsheet takes for a formula.
    """

    media_type = "text/csv; charset=utf-8"

    def begin(self, columns: Sequence[Column]) -> bytes:
        """Return the byte order mark and the names of the columns."""
        return b"\xef\xbb\xbf" + _lines([[column.name for column in columns]])

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """Return one line per row."""
        return _lines([map(cell, row.values()) for row in values])

    def end(self, *, is_truncated: bool) -> bytes:
        """Return nothing; for an incomplete file a line that says so."""
        return _lines([[INCOMPLETE]]) if is_truncated else b""


class Json:
    """One array of objects, one per line, with the values of REST."""

    media_type = "application/json"

    def __init__(self) -> None:
        self.separator = b"\n"

    def begin(self, columns: Sequence[Column]) -> bytes:
        """Return the opening bracket."""
        return b"["

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """Return the objects after a separator."""
        separator, self.separator = self.separator, b",\n"
        return separator + b",\n".join(map(encode, values))

    def end(self, *, is_truncated: bool) -> bytes:
        """Return the closing bracket; an incomplete file has none, so no reader accepts it."""
        return b"" if is_truncated else b"\n]\n"


class Ndjson:
    """One JSON object per line, with the values of REST."""

    media_type = "application/x-ndjson"

    def begin(self, columns: Sequence[Column]) -> bytes:
        """Return nothing."""
        return b""

    def rows(self, values: Sequence[dict[str, Any]]) -> bytes:
        """Return one line per row."""
        return b"".join(encode(value) + b"\n" for value in values)

    def end(self, *, is_truncated: bool) -> bytes:
        """Return nothing; for an incomplete file a line that is no row."""
        return encode({"error": INCOMPLETE}) + b"\n" if is_truncated else b""


FORMATS: dict[str, Callable[[], FileFormat]] = {"csv": Csv, "json": Json, "ndjson": Ndjson}


def cell(value: Any) -> Any:
    """Return a value as a CSV cell: structures as JSON, formulas as text."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else str(value)
    if isinstance(value, datetime):
        return encode(value)[1:-1].decode()
    return encode(value).decode() if isinstance(value, (bool, dict, list)) else value


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def file_chunks(
    rows: QuerySet[Any], columns: Sequence[Column], notation: FileFormat, *, prepare: Callable[[Rows], Rows]
) -> Iterator[bytes]:
    """Yield the rows of a file in batches. `prepare` adds to the rows of a batch the data that columns read."""
    follows = sorted({column.follows for column in columns} - {""})
    for batch in batches(rows.prefetch_related(*follows)):
        yield notation.rows([{c.name: c.read(row) for c in columns} for row in prepare(batch)])


async def stream(columns: Sequence[Column], notation: FileFormat, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the whole file. A thread reads each batch after the one before was sent.

    A failing database ends the file as incomplete.
    """
    yield notation.begin(columns)
    read = database_sync_to_async(lambda: next(chunks, b""), thread_sensitive=False)
    try:
        while chunk := await read():
            yield chunk
    except (DatabaseError, InterfaceError) as reason:
        log.warning("export_incomplete", reason=repr(reason))
        yield notation.end(is_truncated=True)
    else:
        yield notation.end(is_truncated=False)


def attachment(
    content: Callable[[], AsyncIterator[bytes]], *, name: str, media_type: str, head: bool
) -> HttpResponseBase:
    """Return a download of this name; for HEAD without reading any row."""
    if head:
        return HttpResponse(content_type=media_type, headers=headers_of(name))
    return StreamingHttpResponse(content(), content_type=media_type, headers=headers_of(name))


def headers_of(name: str) -> dict[str, str]:
    """Return the headers of a download of this name."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Accel-Buffering": "no",
        "X-Content-Type-Options": "nosniff",
    }
