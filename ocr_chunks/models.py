"""Models of OCR: documents, and the page ranges of their chunks.

Statuses, attempts and counts are stored with the job's phases and items only.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from jobs.models import Item, Job
from jobs.rules.limits import NAME_LENGTH, PROJECT_LENGTH

KIND = "ocr"
OCR = "ocr"
MERGE = "merge"


class Document(models.Model):
    """A document; its id is that of its job. `pages_per_chunk` is null if its creator gave the page ranges."""

    job = models.OneToOneField(Job, primary_key=True, on_delete=models.CASCADE, related_name="document")
    project = models.CharField(max_length=PROJECT_LENGTH, blank=True, default="")
    name = models.CharField(max_length=NAME_LENGTH)
    page_count = models.PositiveBigIntegerField()
    pages_per_chunk = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering = ["-job_id"]
        # For the beginnings of names; the class of operators matters on PostgreSQL only.
        indexes = [models.Index(fields=["name"], opclasses=["varchar_pattern_ops"], name="ocr_document_name")]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="ocr_document_name_once_per_project"),
            models.CheckConstraint(condition=Q(page_count__gte=1), name="ocr_document_has_pages"),
            models.CheckConstraint(
                condition=Q(pages_per_chunk__isnull=True) | Q(pages_per_chunk__gte=1),
                name="ocr_document_chunks_have_pages",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the document page."""
        return reverse("admin:ocr_chunks_document_change", args=[self.pk])


class Chunk(models.Model):
    """A range of pages, both ends included; its id is that of its item in the phase `ocr`."""

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="chunk")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    chunk_index = models.PositiveIntegerField()
    page_start = models.PositiveBigIntegerField()
    page_end = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ()
        ordering = ["document_id", "chunk_index"]
        constraints = [
            models.UniqueConstraint(fields=["document", "chunk_index"], name="ocr_chunk_index_once"),
            models.UniqueConstraint(fields=["document", "page_start"], name="ocr_chunk_page_start_once"),
            models.CheckConstraint(condition=Q(page_start__gte=1), name="ocr_chunk_begins_at_1"),
            models.CheckConstraint(condition=Q(page_end__gte=F("page_start")), name="ocr_chunk_ends_after_start"),
        ]

    def __str__(self) -> str:
        return label(self.chunk_index, start=self.page_start, end=self.page_end)


def label(index: int, *, start: int, end: int) -> str:
    """Return the label of a chunk: `Chunk 12 (pages 276-300)`."""
    return f"Chunk {index + 1} (pages {start}-{end})"
