"""Page ranges of a document: every page belongs to exactly one chunk. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.rules.errors import BadInput

PAGES_PER_CHUNK = 25
MOST_CHUNKS = 5000
CODE = "invalid_page_range"


class PageRange(NamedTuple):
    """The pages of one chunk, both ends included; the first page of a document is 1."""

    start: int
    end: int


def split(page_count: int, *, pages_per_chunk: int) -> list[PageRange]:
    """Split pages into ranges of `pages_per_chunk`, the last one shorter; raise BadInput above MOST_CHUNKS ranges."""
    number = -(-page_count // pages_per_chunk)
    if number > MOST_CHUNKS:
        raise BadInput({"pages_per_chunk": _too_many(number, page_count=page_count)}, code=CODE)
    starts = range(1, page_count + 1, pages_per_chunk)
    return [PageRange(start, min(start + pages_per_chunk - 1, page_count)) for start in starts]


def _too_many(number: int, *, page_count: int) -> str:
    least = -(-page_count // MOST_CHUNKS)
    return (
        f"{number:,} chunks are too many; a document has at most {MOST_CHUNKS:,}."
        f" Use at least {least:,} pages per chunk for {page_count:,} pages."
    )


def check(ranges: Sequence[PageRange], *, page_count: int) -> None:
    """Raise BadInput unless the ranges, in order, cover 1…page_count without gap or overlap."""
    if len(ranges) > MOST_CHUNKS:
        raise BadInput({"chunks": f"A document has at most {MOST_CHUNKS:,} chunks."}, code=CODE)
    last = 0
    for place, pages in enumerate(ranges):
        _check_one(pages, after=last, field=f"chunks[{place}]")
        last = pages.end
    if last != page_count:
        raise BadInput({_end(ranges): f"The last page of the last chunk must be {page_count}."}, code=CODE)


def _check_one(pages: PageRange, *, after: int, field: str) -> None:
    if pages.start < 1:
        raise BadInput({f"{field}.page_start": "The first page of a document is 1."}, code=CODE)
    if pages.end < pages.start:
        sentence = f"Enter a last page of at least {pages.start}, the first page of the chunk."
        raise BadInput({f"{field}.page_end": sentence}, code=CODE)
    if pages.start != after + 1:
        sentence = f"Enter {after + 1}: every page must belong to exactly one chunk, in order."
        raise BadInput({f"{field}.page_start": sentence}, code=CODE)


def _end(ranges: Sequence[PageRange]) -> str:
    return f"chunks[{len(ranges) - 1}].page_end" if ranges else "chunks"
