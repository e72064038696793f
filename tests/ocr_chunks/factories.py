"""Documents in the state that a test needs, made by the same verbs that workers call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from jobs import tracking
from jobs.models import Item, Job, Phase
from jobs.tracking import Actor, Result
from jobs.tracking.types import ClaimedItem
from ocr_chunks import documents
from ocr_chunks.models import Chunk, Document
from ocr_chunks.serializers import DocumentBody, document_body
from tests.factories import WORKER, phase_of

_numbers = count(1)


def make_document(chunks: int = 17, **fields: Any) -> Document:
    """A document of so many chunks of 25 pages, the last of which has 22: 422 pages in 17 chunks."""
    given = {"name": f"paper-{next(_numbers)}.pdf", "page_count": 25 * chunks - 3, **fields}
    return documents.create_document(**given, by=WORKER).document


def in_state(
    chunks: int = 17, *, done: int = 0, failed: int = 0, processing: int = 0, skipped: int = 0, **fields: Any
) -> Document:
    """A document whose first chunks are done, the next failed, processing and skipped; the rest is pending."""
    document = make_document(chunks, **fields)
    statuses = ["completed"] * done + ["failed"] * failed + ["processing"] * processing + ["skipped"] * skipped
    report(document, statuses)
    return document


def job_of(document: Document) -> Job:
    """Its job, fresh from the database."""
    return Job.objects.get(pk=document.pk)


def ocr(document: Document) -> Phase:
    """The phase of its chunks, fresh from the database."""
    return phase_of(job_of(document), "ocr")


def merge(document: Document) -> Phase:
    """The phase of its merge, fresh from the database."""
    return phase_of(job_of(document), "merge")


def chunk(document: Document, index: int) -> Item:
    """The item of a chunk, fresh from the database."""
    return Item.objects.get(chunk__document=document, chunk__chunk_index=index)


def chunks_of(document: Document) -> list[Chunk]:
    """Its chunks in their order."""
    return list(Chunk.objects.filter(document=document).order_by("chunk_index"))


def checksum(index: int) -> str:
    """The checksum that `report` tells of a chunk's text."""
    return f"sum-{index}"


def report(document: Document, statuses: Sequence[str], *, start: int = 0) -> tracking.Reported:
    """Report one status after the other for the chunks from this index on, in one call."""
    results = [_result(index, status) for index, status in enumerate(statuses, start)]
    return tracking.report(ocr(document), worker="w1", results=results, by=WORKER)


def _result(index: int, status: str) -> Result:
    result = {"checksum": checksum(index), "path": f"texts/{index}.txt"} if status == "completed" else {}
    return Result(str(index), status, error="Document AI timeout" if status == "failed" else "", result=result)


def fail(document: Document, index: int, error: str) -> None:
    """One chunk fails with this error."""
    tracking.report(ocr(document), worker="w1", results=[Result(str(index), "failed", error=error)], by=WORKER)


def take(phase: Phase, *, worker: str = "w1", limit: int = 1, seconds: int | None = None) -> list[ClaimedItem]:
    """Claim items and return them."""
    return tracking.claim(phase, worker=worker, limit=limit, lease_seconds=seconds, by=Actor(name=worker)).items


def merged(document: Document, **result: Any) -> tracking.ResultOutcome:
    """The outcome of a merge that is reported with this result."""
    given = [Result("merge", "completed", result=result)]
    return tracking.report(merge(document), worker="m1", results=given, by=WORKER).results[0]


def body(document: Document) -> DocumentBody:
    """The document as everybody sees it."""
    return document_body(Document.objects.select_related("job").get(pk=document.pk))
