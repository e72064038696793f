"""REST API of documents."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from jobs.api.acts import ActView, act_response
from jobs.api.base import APIBaseView, created_response, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import Query
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.responses import ActAnswer
from jobs.api.schema import operation
from jobs.models.jobs import JobQuerySet
from jobs.rules.errors import NotFound
from ocr_chunks import documents, examples, requests
from ocr_chunks.models import Document
from ocr_chunks.serializers import DocumentBody, DocumentRow, document_bodies, document_body

TAG = "documents"


class DocumentPage(TypedDict):
    """One page of documents, newest first, without their chunks."""

    results: list[DocumentRow]
    next: str | None


class DocumentBaseView(APIBaseView):
    """Base view of documents. A document is visible to accounts that may see its job."""

    def document_jobs(self) -> JobQuerySet:
        """Return the visible jobs that belong to a document, with the document."""
        return self.access.jobs().filter(document__isnull=False).select_related("document")

    def document(self, document_id: int) -> Document:
        """Return the document with its job; raise NotFound if it does not exist or is not visible."""
        job = self.document_jobs().filter(pk=document_id).first()
        if job is None:
            raise NotFound(f"There is no document {document_id}.")
        return job.document


class Documents(DocumentBaseView):
    """All visible documents."""

    writes: ClassVar[str] = "add_job"

    @operation(
        id="listDocuments",
        summary="List documents",
        tag=TAG,
        answer=DocumentPage,
        errors=(400,),
        query=requests.DocumentQuery,
    )
    def get(self, request: Request) -> HttpResponse:
        """Return one page of the visible documents, newest first."""
        query = decode_query(request, requests.DocumentQuery)
        exact = {name: value for name in ("status", "project") if (value := getattr(query, name))}
        return json_response(
            page(
                request,
                self.document_jobs().filter(**exact),
                query,
                field="-created_at",
                bodies=lambda jobs: document_bodies([job.document for job in jobs], now=timezone.now()),
            )
        )

    @operation(
        id="createDocument",
        summary="Create a document, or get the one with this project and name",
        tag=TAG,
        body=requests.DocumentInput,
        answer=DocumentBody,
        status=201,
        also={200: "The document existed; nothing of it was changed."},
        errors=(409,),
        send=examples.DOCUMENT,
        sends={201: ("Location",)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a document with its job, its chunks and their merge."""
        given = decode_body(request, requests.DocumentInput)
        result = documents.create_document(
            name=given.name,
            page_count=given.page_count,
            project=given.project,
            pages_per_chunk=given.pages_per_chunk,
            chunks=given.ranges(),
            by=self.actor(),
            **given.options(),
        )
        return created_response(document_body(result.document), is_new=result.created, page="api-document")


class DocumentDetail(DocumentBaseView):
    """One document."""

    @operation(id="getDocument", summary="Get a document", tag=TAG, answer=DocumentBody, errors=(400, 404))
    def get(self, request: Request, document_id: int) -> HttpResponse:
        """Return the document with its job and all of its chunks."""
        decode_query(request, Query)
        return json_response(document_body(self.document(document_id)))


class RetryChunks(DocumentBaseView, ActView):
    """Retry of failed chunks."""

    writes: ClassVar[str] = "retry_job"

    @operation(
        id="retryDocumentChunks",
        summary="Retry failed chunks",
        tag=TAG,
        body=requests.RetryChunksInput,
        answer=ActAnswer,
        errors=(404, 409),
        send=examples.RETRY,
    )
    def post(self, request: Request, document_id: int) -> HttpResponse:
        """Retry chunks by index, by error signature, or all that have failed."""
        document = self.document(document_id)
        given = decode_body(request, requests.RetryChunksInput)
        return act_response(
            documents.retry_chunks(
                document,
                chunks=given.chunks,
                error_signature=given.error_signature,
                reason=given.reason,
                actor=self.account,
            )
        )
