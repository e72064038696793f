"""The lists of documents and of chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.action_mixin import ActionMixin
from jobs.console.admin.columns import bar, isolated, job_state, pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import KindAdmin
from jobs.console.admin.range_filters import Project
from jobs.console.search.registry import finder
from jobs.console.templatetags.progress_pages import ago, clock
from jobs.models import Item, Job, Phase
from jobs.operations.base import Operation
from jobs.rules import progress
from jobs.rules.formatting import DASH, format_number
from ocr_chunks.documents.pipeline import PIPELINE
from ocr_chunks.filters import (
    ChunkStatus,
    DocumentCreated,
    DocumentDue,
    DocumentFinished,
    DocumentLate,
    DocumentMetadata,
    DocumentPartial,
    DocumentStatus,
    DocumentStuck,
)
from ocr_chunks.models import OCR, Chunk, Document
from ocr_chunks.search import find_documents
from ocr_chunks.views import document_page

finder(find_documents)


def _of_chunks(name: str, read: Callable[[Phase], Any]) -> Column:
    return Column(name, lambda document: read(_ocr(document)))


def _path_of_text(chunk: Chunk) -> str:
    path = chunk.item.result.get("path")
    return path if isinstance(path, str) else ""


class OcrAdmin(ActionMixin, KindAdmin):
    """Base of both lists: style sheet and acts on rows."""

    list_display_links = None

    class Media:
        css = {"all": ["ocr_chunks/lists.css"]}


@admin.register(Document)
class DocumentAdmin(OcrAdmin):
    """The list of documents; by default those that are not finished."""

    when_empty = "A program creates documents over the REST API with their number of pages."
    owner = (Job, "job_id", "project")
    rows_are, narrowed_to = "documents", {"retry": OCR}
    follows = ("job__phases",)
    list_display = ("state", "link", "project_link", "pages", "bar", "failed", "stage", "updated")
    list_filter = (
        DocumentStatus,
        Project,
        DocumentStuck,
        DocumentLate,
        DocumentPartial,
        DocumentCreated,
        DocumentFinished,
        DocumentDue,
        DocumentMetadata,
    )
    search_fields = ("name", "=project")
    search_help_text = "Part of a name, or an exact project"
    ordering = ("-job__updated_at", "-job_id")
    exported = (
        Column("id", "pk"),
        *map(Column, ("name", "project", "page_count", "pages_per_chunk")),
        Column("status", "job.status"),
        Column("partial", "job.partial"),
        Column("stuck", "job.stuck", or_none=True),
        Column("stage", "job.stage"),
        Column("percent", "job.percent"),
        _of_chunks("total_chunks", lambda ocr: ocr.expected or 0),
        _of_chunks("completed_chunks", lambda ocr: ocr.counts.processed),
        _of_chunks("failed_chunks", lambda ocr: ocr.failed),
        _of_chunks("pending_chunks", lambda ocr: progress.pending(ocr.counts) or 0),
        _of_chunks("processing_chunks", lambda ocr: ocr.processing),
        _of_chunks("progress_pct", lambda ocr: progress.percent(ocr.counts, completed=ocr.is_completed) or 0),
        Column("error", "job.error"),
        Column("created_at"),
        Column("updated_at", "job.updated_at"),
        Column("finished_at", "job.finished_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        """Return the documents through the index of jobs by kind."""
        rows: QuerySet[Document] = super().get_queryset(request)
        return rows.filter(job__kind=PIPELINE.code)

    def called(self, act: Operation) -> str:
        """Return the name of the act's targets; a retry is about chunks."""
        return "failed chunks of these documents" if act.name == "retry" else self.rows_are

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the document page instead of a form."""
        return document_page(request, self.admin_site, object_id)

    @admin.display(description="Status")
    def state(self, document: Document) -> SafeString:
        """Status of the job."""
        return job_state(document.job)

    @admin.display(description="Document", ordering="name")
    def link(self, document: Document) -> SafeString:
        """Name, linked to the document page."""
        return format_html('<a href="{}"><bdi>{}</bdi></a>', document.get_absolute_url(), document.name)

    @admin.display(description="Project", ordering="project")
    def project_link(self, document: Document) -> SafeString | str:
        """Project, linked to all its documents."""
        if not document.project:
            return DASH
        query = urlencode({"status": "all", "project": document.project})
        return format_html('<a href="?{}"><bdi>{}</bdi></a>', query, document.project)

    @admin.display(description="Pages", ordering="page_count")
    def pages(self, document: Document) -> str:
        """Number of pages."""
        return format_number(document.page_count)

    @admin.display(description="Chunks")
    def bar(self, document: Document) -> SafeString:
        """Bar, percent and numbers of chunks."""
        ocr = _ocr(document)
        counts, completed = ocr.counts, ocr.is_completed
        body = {
            "status": document.job.status,
            "stuck": document.job.stuck,
            "partial": document.job.partial,
            "percent": progress.percent(counts, completed=completed),
            "settled_percent": progress.settled_percent(counts, completed=completed),
        }
        drawn = bar(body, f"Progress of {document.name}")
        return format_html(
            "{} <small>{} of {}</small>", drawn, format_number(counts.processed), format_number(counts.expected)
        )

    @admin.display(description="Failed")
    def failed(self, document: Document) -> str:
        """Number of failed chunks."""
        return format_number(_ocr(document).failed)

    @admin.display(description="Stage")
    def stage(self, document: Document) -> str:
        """Stage of the job."""
        return document.job.stage

    @admin.display(description="Updated", ordering="job__updated_at")
    def updated(self, document: Document) -> SafeString | str:
        """Time of the last change."""
        return ago(document.job.updated_at)


def _ocr(document: Document) -> Phase:
    """Return the phase of the chunks from the prefetched phases."""
    return next(phase for phase in document.job.phases.all() if phase.code == OCR)


@admin.register(Chunk)
class ChunkAdmin(OcrAdmin):
    """The list of chunks of all documents, newest first."""

    when_empty = "No chunk yet. A document is split into chunks when it is created."
    owner = (Job, "document_id", "project")
    job_path, item_path, rows_are = "document_id", "pk", "these chunks"
    follows = ("item", "document")
    list_display = ("state", "name", "pages", "link", "attempt", "tries", "worker", "error", "finished")
    list_filter = (ChunkStatus,)
    search_fields = ("document__name", "item__error")
    search_help_text = "Part of a document's name or of an error"
    ordering = ("-pk",)
    exported = (
        Column("id", "pk"),
        Column("document_id"),
        Column("document", "document.name"),
        *map(Column, ("chunk_index", "page_start", "page_end")),
        *(Column(name, f"item.{name}") for name in ("status", "attempt", "tries", "error", "worker")),
        Column("result_checksum", "item.checksum"),
        Column("result_path", _path_of_text),
        Column("started_at", "item.started_at"),
        Column("finished_at", "item.finished_at"),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Chunk], search_term: str
    ) -> tuple[QuerySet[Chunk], bool]:
        """Find chunks by document name, or failed chunks by error."""
        if not search_term:
            return queryset, False
        documents = Document.objects.filter(name__icontains=search_term)
        failed = Item.objects.failed().filter(error__icontains=search_term)
        return queryset.filter(Q(document__in=documents) | Q(item__in=failed)), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Redirect to the page of the chunk's item."""
        chunk = self.get_object(request, object_id)
        if chunk is None:
            return HttpResponseRedirect(reverse("admin:ocr_chunks_chunk_changelist"))
        return HttpResponseRedirect(reverse("admin:jobs_item_change", args=[chunk.pk]))

    @admin.display(description="Status")
    def state(self, chunk: Chunk) -> SafeString:
        """Status of the item."""
        return pill(status_styles.STYLES[chunk.item.status])

    @admin.display(description="Chunk", ordering="chunk_index")
    def name(self, chunk: Chunk) -> SafeString:
        """Number, linked to the item page."""
        address = reverse("admin:jobs_item_change", args=[chunk.pk])
        return format_html('<a href="{}">Chunk {}</a>', address, format_number(chunk.chunk_index + 1))

    @admin.display(description="Pages", ordering="page_start")
    def pages(self, chunk: Chunk) -> str:
        """First and last page."""
        return f"{chunk.page_start}-{chunk.page_end}"

    @admin.display(description="Document")
    def link(self, chunk: Chunk) -> SafeString:
        """Document, linked to its page."""
        return format_html('<a href="{}"><bdi>{}</bdi></a>', chunk.document.get_absolute_url(), chunk.document.name)

    @admin.display(description="Attempt")
    def attempt(self, chunk: Chunk) -> str:
        """Number of the claim."""
        return format_number(chunk.item.attempt)

    @admin.display(description="Tries")
    def tries(self, chunk: Chunk) -> str:
        """Leases that have expired since the last retry."""
        return format_number(chunk.item.tries)

    @admin.display(description="Worker")
    def worker(self, chunk: Chunk) -> SafeString | str:
        """Worker that holds the chunk or held it last."""
        return isolated(chunk.item.worker)

    @admin.display(description="Error")
    def error(self, chunk: Chunk) -> str:
        """Error of the last failure."""
        return chunk.item.error or DASH

    @admin.display(description="Finished")
    def finished(self, chunk: Chunk) -> SafeString | str:
        """Time of the outcome."""
        return clock(chunk.item.finished_at)
