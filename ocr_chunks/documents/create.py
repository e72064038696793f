"""Creation of documents with their job and chunks, idempotent by project and name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs import tracking
from jobs.change import Actor, unit_of_work
from jobs.db import bulk_sql
from jobs.models import Item, Job
from jobs.rules.errors import BadInput, Conflict
from jobs.rules.limits import NAME_LENGTH
from jobs.tracking import NewItem
from ocr_chunks import page_ranges
from ocr_chunks.models import KIND, MERGE, OCR, Chunk, Document, label
from ocr_chunks.page_ranges import PAGES_PER_CHUNK, PageRange

CHUNK_FIELDS = ("item", "chunk_index", "page_start", "page_end")


@dataclass(frozen=True, slots=True)
class Created:
    """A document with its job; `created` is false if it existed."""

    document: Document
    created: bool


def create_document(
    *,
    name: str,
    page_count: int,
    project: str = "",
    pages_per_chunk: int | None = None,
    chunks: Sequence[PageRange] | None = None,
    by: Actor,
    **options: Any,
) -> Created:
    """Create a document with its job and chunks, or return the existing one with this project and name unchanged.

    Chunks have `pages_per_chunk` pages each (default 25), or the ranges in `chunks`. `options` are further arguments of
    `create_job`, such as `priority`. Raises the errors of `create_job`; BadInput `invalid_page_range` if the ranges do
    not cover 1…page_count; Conflict `document_differs` if the existing document has another number of pages.
    """
    per_chunk = None if chunks is not None else pages_per_chunk or PAGES_PER_CHUNK
    pages = _ranges(page_count, per_chunk=per_chunk, chunks=chunks or ())
    document = Document(project=project, name=name, page_count=page_count, pages_per_chunk=per_chunk)
    with unit_of_work():
        result = tracking.create_job(
            name=_job_name(document), kind=KIND, project=project, fill=lambda job: _items(job, pages), by=by, **options
        )
        if result.created:
            _insert(document, result.job, pages)
            return Created(document, True)
    return Created(_existing(result.job, document), False)


def _ranges(page_count: int, *, per_chunk: int | None, chunks: Sequence[PageRange]) -> Sequence[PageRange]:
    if per_chunk:
        return page_ranges.split(page_count, pages_per_chunk=per_chunk)
    page_ranges.check(chunks, page_count=page_count)
    return chunks


def _job_name(document: Document) -> str:
    """Return the job name: `project/name`, or `name` without a project."""
    name = f"{document.project}/{document.name}" if document.project else document.name
    if len(name) > NAME_LENGTH:
        raise BadInput(
            {"name": f"Shorten the name: project and name may have at most {NAME_LENGTH - 1} characters together."}
        )
    return name


def _items(job: Job, pages: Sequence[PageRange]) -> dict[str, list[NewItem]]:
    """Return the items of both phases; a chunk's key is its index."""
    chunks = [
        NewItem(str(index), label(index, start=start, end=end), payload=_payload(job, index, PageRange(start, end)))
        for index, (start, end) in enumerate(pages)
    ]
    return {OCR: chunks, MERGE: [NewItem("merge", "Merge", payload={"document": job.pk})]}


def _payload(job: Job, index: int, pages: PageRange) -> dict[str, int]:
    return {"chunk_index": index, "page_start": pages.start, "page_end": pages.end, "document": job.pk}


def _insert(document: Document, job: Job, pages: Sequence[PageRange]) -> None:
    """Store the document and its chunks for a new job."""
    document.job, document.created_at = job, job.created_at
    document.save(force_insert=True)
    items = Item.objects.filter(phase__job=job, phase__code=OCR).order_by("pk").values_list("pk", "key")
    values = [(pk, int(key), *pages[int(key)]) for pk, key in items]
    bulk_sql.insert(Chunk, values, fields=CHUNK_FIELDS, constants={"document": document.pk})


def _existing(job: Job, requested: Document) -> Document:
    document = Document.objects.select_related("job").filter(pk=job.pk).first()
    if document is None or (document.project, document.name) != (requested.project, requested.name):
        raise Conflict(f"The job name {job.name} is used by another job. Choose another name.", code="name_taken")
    if document.page_count != requested.page_count:
        raise Conflict(
            f"Document {job.name} exists and has {document.page_count} pages, not {requested.page_count}."
            " Choose another name for another file.",
            code="document_differs",
        )
    return document
