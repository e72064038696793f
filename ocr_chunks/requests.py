"""Request bodies and query parameters of documents, with the limits of every field."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from jobs.api.query_params import NameText, PageQuery
from jobs.api.requests import Input
from jobs.operations.arguments import ActInput
from jobs.rules.field_types import Ids, Name, Project, Signature
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.statuses import JobStatus
from jobs.tracking import JobOptions
from ocr_chunks.page_ranges import MOST_CHUNKS, PageRange

Page = Annotated[int, Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
Pages = Annotated[int, Meta(ge=1, le=LARGEST_INTEGER)]


class ChunkInput(Input, frozen=True):
    """The first and the last page of one chunk."""

    page_start: Page
    page_end: Page


class DocumentInput(JobOptions, kw_only=True, frozen=True):
    """A new document; the same project and name again return the existing one.

    `chunks` gives explicit ranges, in order, that cover 1…page_count; then `pages_per_chunk` is ignored.
    """

    name: Name
    page_count: Pages
    pages_per_chunk: Pages | None = None
    project: Project = ""
    chunks: Annotated[list[ChunkInput], Meta(max_length=MOST_CHUNKS)] | None = None

    def ranges(self) -> list[PageRange] | None:
        """Return the explicit ranges for `create_document`; None if there are none."""
        return None if self.chunks is None else [PageRange(chunk.page_start, chunk.page_end) for chunk in self.chunks]


class RetryChunksInput(ActInput, kw_only=True, frozen=True):
    """Selection of failed chunks: by index, by error signature, or all of the document by default."""

    chunks: Ids | None = None
    error_signature: Signature = ""


class DocumentQuery(PageQuery, kw_only=True, frozen=True):
    """Filters of the document list."""

    status: Annotated[JobStatus | None, Meta(description="Only documents whose job is in this status.")] = None
    project: Annotated[NameText, Meta(description="Only documents of this project.")] = ""
