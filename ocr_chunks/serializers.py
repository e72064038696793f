"""JSON representations of documents, loaded in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.models import Item, Phase
from jobs.rules.field_types import Moment
from jobs.rules.statuses import ItemStatus
from jobs.serializers import JobBody, PhaseBody, job_bodies
from ocr_chunks.models import OCR, Chunk, Document

CHUNK_FIELDS = ("pk", "chunk_index", "page_start", "page_end")
ITEM_FIELDS = ("status", "attempt", "tries", "error", "worker", "checksum", "result", "started_at", "finished_at")
ChunkLocation = tuple[int, int, int]


class PageRangeBody(TypedDict):
    """The first and the last page of a chunk."""

    start: int
    end: int


class ChunkProcessing(TypedDict):
    """Progress of the chunks; skipped ones count as completed.

    The current chunk is the first one that a worker holds, else the last settled one, else null.
    """

    total_chunks: int
    completed_chunks: int
    failed_chunks: int
    pending_chunks: int
    processing_chunks: int
    progress_pct: int
    is_complete: bool
    has_failures: bool
    current_chunk_index: int | None
    current_page_range: PageRangeBody | None


class ChunkBody(TypedDict):
    """One chunk of a document; its worker reported checksum and path of the text."""

    id: int
    chunk_index: int
    page_start: int
    page_end: int
    status: ItemStatus
    attempt: int
    tries: int
    error: str
    worker: str
    result_checksum: str
    result_path: str
    started_at: Moment | None
    finished_at: Moment | None


class DocumentRow(TypedDict):
    """A document in a list, with its job; `pages_per_chunk` is null if its creator gave the ranges."""

    id: int
    name: str
    project: str
    page_count: int
    pages_per_chunk: int | None
    created_at: Moment
    job: JobBody
    chunk_processing: ChunkProcessing


class DocumentBody(DocumentRow):
    """A document with its job and all of its chunks in their order."""

    chunks: list[ChunkBody]


def document_bodies(documents: Sequence[Document], *, now: datetime) -> list[DocumentRow]:
    """Return the bodies of these documents in order, without chunks; five queries for any number of documents.

    Rates are measured at `now`. The documents must be loaded with their `job`.
    """
    current = _current([document.pk for document in documents])
    bodies = job_bodies([document.job for document in documents], now=now)
    return [_row(document, body, current.get(document.pk)) for document, body in zip(documents, bodies, strict=True)]


def document_body(document: Document, *, now: datetime | None = None) -> DocumentBody:
    """Return the body of one document with its chunks; one more query."""
    [row] = document_bodies([document], now=now or timezone.now())
    return {**row, "chunks": chunk_bodies(document)}


def chunk_processing(ocr: PhaseBody, current: ChunkLocation | None = None) -> ChunkProcessing:
    """Return the phase counts under their OCR names; `current` is the chunk's index, first and last page."""
    expected = ocr["expected"] or 0
    completed = ocr["done"] + ocr["skipped"]
    return {
        "total_chunks": expected,
        "completed_chunks": completed,
        "failed_chunks": ocr["failed"],
        "pending_chunks": ocr["pending"] or 0,
        "processing_chunks": ocr["processing"],
        "progress_pct": ocr["percent"] or 0,
        "is_complete": completed + ocr["failed"] >= expected,
        "has_failures": ocr["failed"] > 0,
        "current_chunk_index": current[0] if current else None,
        "current_page_range": {"start": current[1], "end": current[2]} if current else None,
    }


def chunk_bodies(document: Document) -> list[ChunkBody]:
    """Return the chunks of a document in order; one query."""
    fields = (*CHUNK_FIELDS, *(f"item__{name}" for name in ITEM_FIELDS))
    return [_chunk(row) for row in Chunk.objects.filter(document=document).order_by("chunk_index").values(*fields)]


def _row(document: Document, body: JobBody, current: ChunkLocation | None) -> DocumentRow:
    ocr = next(phase for phase in body["phases"] if phase["code"] == OCR)
    return {
        "id": document.pk,
        "name": document.name,
        "project": document.project,
        "page_count": document.page_count,
        "pages_per_chunk": document.pages_per_chunk,
        "created_at": document.created_at,
        "job": body,
        "chunk_processing": chunk_processing(ocr, current),
    }


def _current(document_ids: Sequence[int]) -> dict[int, ChunkLocation]:
    """Return index, first and last page of the current chunk by document; two queries."""
    phases = Phase.objects.filter(job__in=document_ids, code=OCR).order_by()
    chosen = phases.annotate(chunk=Coalesce(_first_held(), _last_settled())).values_list("chunk", flat=True)
    chunks = Chunk.objects.filter(pk__in=[pk for pk in chosen if pk])
    fields = ("document", "chunk_index", "page_start", "page_end")
    return {document: (index, start, end) for document, index, start, end in chunks.values_list(*fields)}


def _first_held() -> Subquery:
    """Return the first leased chunk of a phase; item ids follow the chunk indexes."""
    return _one(Item.objects.held().order_by("pk"))


def _last_settled() -> Subquery:
    """Return the last settled chunk of a phase."""
    return _one(Item.objects.filter(finished_at__isnull=False).order_by("-finished_at", "-pk"))


def _one(items: QuerySet[Item]) -> Subquery:
    return Subquery(items.filter(phase=OuterRef("pk")).values("pk")[:1])


def _chunk(row: dict[str, Any]) -> ChunkBody:
    path = row["item__result"].get("path")
    return {
        "id": row["pk"],
        "chunk_index": row["chunk_index"],
        "page_start": row["page_start"],
        "page_end": row["page_end"],
        "status": ItemStatus(row["item__status"]),
        "attempt": row["item__attempt"],
        "tries": row["item__tries"],
        "error": row["item__error"],
        "worker": row["item__worker"],
        "result_checksum": row["item__checksum"],
        "result_path": path if isinstance(path, str) else "",
        "started_at": row["item__started_at"],
        "finished_at": row["item__finished_at"],
    }
