"""The page ranges of a document: every page from the first to the last in exactly one chunk. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.rules.errors import BadInput

PAGES_PER_CHUNK = 25
MOST_CHUNKS = 5000
CODE = "invalid_page_range"


class PageRange(NamedTuple):
    """The pages of one chunk, the first and the last of them included; a document begins with page 1."""

    start: int
    end: int


def split(page_count: int, *, pages_per_chunk: int) -> list[PageRange]:
    """Ranges of so many pages, the last with what is left; BadInput where they would be more than MOST_CHUNKS."""
    number = -(-page_count // pages_per_chunk)
    if number > MOST_CHUNKS:
        raise BadInput({"pages_per_chunk": _too_many(number, page_count=page_count)}, code=CODE)
    starts = range(1, page_count + 1, pages_per_chunk)
    return [PageRange(start, min(start + pages_per_chunk - 1, page_count)) for start in starts]


def _too_many(number: int, *, page_count: int) -> str:
    least = -(-page_count // MOST_CHUNKS)
    return (
        f"These would be {number:,} chunks; a document has at most {MOST_CHUNKS:,},"
        f" so {page_count:,} pages take at least {least:,} pages per chunk."
    )


def check(ranges: Sequence[PageRange], *, page_count: int) -> None:
    """BadInput, which names the place, unless these ranges in their order cover 1…page_count without gap or overlap."""
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
        sentence = f"Page {pages.end} comes before page {pages.start}, with which the chunk begins."
        raise BadInput({f"{field}.page_end": sentence}, code=CODE)
    if pages.start != after + 1:
        sentence = f"This must be {after + 1}: every page belongs to exactly one chunk, in their order."
        raise BadInput({f"{field}.page_start": sentence}, code=CODE)


def _end(ranges: Sequence[PageRange]) -> str:
    return f"chunks[{len(ranges) - 1}].page_end" if ranges else "chunks"
