"""What callers may send about documents: the shapes, and the bounds of every field."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from jobs.api.query_params import NameText, PageQuery
from jobs.api.requests import Ids, Input, Name, Project, Signature
from jobs.operations.arguments import ActInput
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.statuses import JobStatus
from ocr_chunks.page_ranges import MOST_CHUNKS, PageRange

Page = Annotated[int, Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
Pages = Annotated[int, Meta(ge=1, le=LARGEST_INTEGER)]


class ChunkInput(Input, frozen=True):
    """The first and the last page of one chunk."""

    page_start: Page
    page_end: Page


class DocumentInput(Input, frozen=True):
    """A new document; the same project and name again answers the existing one.

    `chunks` are ranges of the creator's own, in order, that cover 1…page_count; then `pages_per_chunk` does not matter.
    """

    name: Name
    page_count: Pages
    pages_per_chunk: Pages | None = None
    project: Project = ""
    chunks: Annotated[list[ChunkInput], Meta(max_length=MOST_CHUNKS)] | None = None

    def ranges(self) -> list[PageRange] | None:
        """The ranges of the creator's own, as `create_document` takes them."""
        return None if self.chunks is None else [PageRange(chunk.page_start, chunk.page_end) for chunk in self.chunks]


class RetryChunksInput(ActInput, kw_only=True, frozen=True):
    """Which failed chunks: by index, by error signature; all of the document where none is given."""

    chunks: Ids | None = None
    error_signature: Signature = ""


class DocumentQuery(PageQuery, kw_only=True, frozen=True):
    """Which documents."""

    status: Annotated[JobStatus | None, Meta(description="Only documents whose job is in this status.")] = None
    project: Annotated[NameText, Meta(description="Only documents of this project.")] = ""
