"""The lists of images and face detections."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.columns import job_link, pill
from jobs.console.admin.export import Column
from jobs.console.admin.lists import KindAdmin
from jobs.console.templatetags.progress_pages import ago
from jobs.models import Job
from jobs.models.items import digest
from jobs.rules.formatting import DASH, format_number
from training.admin.columns import ListMedia, item_link
from training.admin.filters import Duplicate, ImageStatus
from training.models import FaceDetectionSession, TrainingImage

OWNER = (Job, "session_id", "project")


@admin.register(TrainingImage)
class ImageAdmin(KindAdmin):
    """The list of images of all sessions, newest first."""

    when_empty = "No image yet. A training session lists its images while it discovers them."
    owner = OWNER
    follows = ("item", "session__job", "duplicate_of__item")
    list_display = ("state", "path", "link", "short_hash", "of")
    list_display_links = None
    list_filter = (ImageStatus, Duplicate)
    search_fields = ("item__key",)
    search_help_text = "A path or its beginning, or the exact name of a session"
    ordering = ("-pk",)
    exported = (
        Column("id", "pk"),
        Column("session_id"),
        Column("session", "session.job.name"),
        Column("path", "item.key"),
        *map(Column, ("hash", "created_at", "duplicate_of_id")),
        Column("duplicate_of", "duplicate_of.item.key"),
        *(Column(name, f"item.{name}") for name in ("status", "attempt", "worker", "error", "finished_at")),
    )
    exported_as = "images"
    Media = ListMedia

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TrainingImage], search_term: str
    ) -> tuple[QuerySet[TrainingImage], bool]:
        """Find images by exact path, else by session name, else by the beginning of the path."""
        if not search_term:
            return queryset, False
        exactly = queryset.filter(item__key_digest=digest(search_term))
        of_session = queryset.filter(session__job__name=search_term)
        begins = queryset.filter(item__key__istartswith=search_term)
        return next((found for found in (exactly, of_session) if found.exists()), begins), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Redirect to the page of the image's item."""
        image = self.get_object(request, object_id)
        name, args = ("jobs_item_change", [image.pk]) if image else ("training_trainingimage_changelist", [])
        return HttpResponseRedirect(reverse(f"admin:{name}", args=args))

    @admin.display(description="Status")
    def state(self, image: TrainingImage) -> SafeString:
        """Status of the item in the training phase."""
        return pill(status_styles.STYLES[image.item.status])

    @admin.display(description="Image")
    def path(self, image: TrainingImage) -> SafeString:
        """Path, linked to the item."""
        return item_link(image.item)

    @admin.display(description="Session")
    def link(self, image: TrainingImage) -> SafeString | str:
        """Session, linked to its page."""
        return job_link(image.session.job)

    @admin.display(description="Hash")
    def short_hash(self, image: TrainingImage) -> str:
        """Perceptual hash, if any."""
        return image.hash or DASH

    @admin.display(description="Duplicate of")
    def of(self, image: TrainingImage) -> SafeString | str:
        """Image that represents this duplicate."""
        return item_link(image.duplicate_of.item) if image.duplicate_of else DASH


@admin.register(FaceDetectionSession)
class FaceDetectionAdmin(KindAdmin):
    """The list of face detection runs, newest first."""

    when_empty = "No face detection yet. A training session begins one after its images are processed."
    owner = OWNER
    follows = ("session__job",)
    list_display = ("run_number", "link", "detected", "assigned", "batch", "confidence", "began", "updated")
    list_display_links = ("run_number",)
    search_fields = ("=session__job__name",)
    search_help_text = "The exact name of a session"
    ordering = ("-pk",)
    exported = (
        Column("id"),
        Column("session_id"),
        Column("session", "session.job.name"),
        *map(Column, ("run", "faces_detected", "faces_assigned", "current_asset_index", "current_batch")),
        *map(Column, ("total_batches", "min_confidence", "batch_size", "created_at", "updated_at")),
    )
    exported_as = "face-detections"
    raw_id_fields = ("session",)
    Media = ListMedia

    @admin.display(description="Run", ordering="run")
    def run_number(self, detection: FaceDetectionSession) -> str:
        """Run of the phase."""
        return f"Detection session {detection.run}"

    @admin.display(description="Session")
    def link(self, detection: FaceDetectionSession) -> SafeString | str:
        """Session, linked to its page."""
        return job_link(detection.session.job)

    @admin.display(description="Faces", ordering="faces_detected")
    def detected(self, detection: FaceDetectionSession) -> str:
        """Number of detected faces."""
        return format_number(detection.faces_detected)

    @admin.display(description="Assigned", ordering="faces_assigned")
    def assigned(self, detection: FaceDetectionSession) -> str:
        """Number of faces assigned to a person."""
        return format_number(detection.faces_assigned)

    @admin.display(description="Batch")
    def batch(self, detection: FaceDetectionSession) -> str:
        """Current batch and number of batches."""
        return f"{format_number(detection.current_batch)} of {format_number(detection.total_batches)}"

    @admin.display(description="Min. confidence")
    def confidence(self, detection: FaceDetectionSession) -> str:
        """Minimum confidence of a detected face."""
        return format_number(detection.min_confidence)

    @admin.display(description="Started", ordering="created_at")
    def began(self, detection: FaceDetectionSession) -> SafeString | str:
        """Time of the first report."""
        return ago(detection.created_at)

    @admin.display(description="Updated", ordering="updated_at")
    def updated(self, detection: FaceDetectionSession) -> SafeString | str:
        """Time of the last report."""
        return ago(detection.updated_at)
