"""The document page: the job page with chunks, their failures and the merge."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.base import LONGEST_ID
from jobs.console.job.views import show_job
from jobs.operations.snapshot import JobSnapshot
from jobs.serializers import JobBody
from ocr_chunks.documents.pipeline import PIPELINE
from ocr_chunks.models import Document
from ocr_chunks.views.chunks import counts_of, current_of, failed_of, grid_of
from ocr_chunks.views.failures import failures_by_error
from ocr_chunks.views.merge_bar import merge_of


def document_page(request: HttpRequest, site: AdminSite, document_id: str) -> HttpResponse:
    """Show one document; 404 if it is not visible to the account. A job without a document has the plain job page."""
    document = _document(document_id)
    if document is None:
        return show_job(request, site, document_id, kind=PIPELINE.code)

    def extra_context(request: HttpRequest, snapshot: JobSnapshot, body: JobBody) -> dict[str, Any]:
        return _extra_context(request, snapshot, body, document=document)

    return show_job(
        request,
        site,
        document_id,
        template="ocr_chunks/document.html",
        kind=PIPELINE.code,
        extra_context=extra_context,
        grid=False,
    )


def _document(document_id: str) -> Document | None:
    is_id = document_id.isascii() and document_id.isdigit() and len(document_id) <= LONGEST_ID
    return Document.objects.filter(pk=int(document_id)).first() if is_id else None


def _extra_context(request: HttpRequest, snapshot: JobSnapshot, body: JobBody, *, document: Document) -> dict[str, Any]:
    """Return the context of the document's blocks; five queries for any number of chunks."""
    ocr, merge = snapshot.phases
    failed = failed_of(document.pk) if ocr.failed else []
    return {
        "document": document,
        "ocr": ocr,
        "ocr_body": body["phases"][0],
        "current": current_of(document.pk) if not ocr.is_completed else None,
        "states_only": request.headers.get("X-Grid") == "states",
        "grid": grid_of(document.pk, errors={row.pk: row.error for row in failed}),
        "chunk_counts": counts_of(ocr),
        "chunk_failures": failures_by_error(failed, snapshot, request.user),
        "merge": merge_of(snapshot, request.user, ocr=ocr, merge=merge),
    }
