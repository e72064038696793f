"""Models of training: sessions, images with their hashes, and reported values of faces and clusters.

Statuses and counts are stored with the job's phases and items only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from django.db import models
from django.db.models import F, Q

from jobs.models import Item, Job

TRAINING = "training"
FACE_DETECTION = "face_detection"
CLUSTERING = "clustering"
HASH_LENGTH = 200


class TrainingSession(models.Model):
    """A training job; its id is the job's. `complete` once the list of its images is closed."""

    job = models.OneToOneField(Job, primary_key=True, on_delete=models.CASCADE, related_name="training_session")
    complete = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering = ["-job_id"]

    def __str__(self) -> str:
        return self.job.name


class TrainingImageQuerySet(models.QuerySet["TrainingImage"]):
    """Query set of images."""

    def duplicates(self) -> Self:
        """Return images with the hash of an older image, which represents them."""
        return self.filter(duplicate_of__isnull=False)

    def representatives(self) -> Self:
        """Return the images that represent their hash."""
        return self.filter(duplicate_of__isnull=True).exclude(hash="")


class TrainingImage(models.Model):
    """An image; its id is that of its item in the phase `training`.

    `hash` is the perceptual hash; an image without a hash has no duplicates. The oldest image of a hash represents
    the others permanently. `created_at` is the time when the image was taken, as reported.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="training_image")
    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="images", db_index=False)
    hash = models.CharField(max_length=HASH_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(null=True, blank=True)
    duplicate_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="duplicates")

    objects = TrainingImageQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["item_id"]
        indexes = [models.Index(fields=["session", "hash"], name="training_image_hash")]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "hash"],
                condition=Q(duplicate_of__isnull=True) & ~Q(hash=""),
                name="training_one_representative",
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True) | ~Q(hash=""), name="training_duplicate_has_hash"
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True) | ~Q(duplicate_of=F("item")), name="training_duplicate_of_other"
            ),
        ]

    def __str__(self) -> str:
        return str(self.item)


class FaceDetectionQuerySet(models.QuerySet["FaceDetectionSession"]):
    """Query set of face detections."""

    def current(self, session_ids: Sequence[int]) -> Self:
        """Return the rows of these sessions that belong to the current run of the phase."""
        return self.filter(
            session__in=session_ids,
            session__job__phases__code=FACE_DETECTION,
            session__job__phases__run=F("run"),
        )


class FaceDetectionSession(models.Model):
    """Reported values of one face detection run: absolute; counts never decrease within the run."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="face_detections")
    run = models.PositiveIntegerField()
    faces_detected = models.PositiveBigIntegerField(default=0)
    faces_assigned = models.PositiveBigIntegerField(default=0)
    current_asset_index = models.PositiveBigIntegerField(default=0)
    current_batch = models.PositiveBigIntegerField(default=0)
    total_batches = models.PositiveBigIntegerField(null=True, blank=True)
    min_confidence = models.FloatField(null=True, blank=True)
    batch_size = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = FaceDetectionQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "run"], name="training_faces_once_per_run"),
            models.CheckConstraint(
                condition=Q(min_confidence__isnull=True) | Q(min_confidence__gte=0, min_confidence__lte=1),
                name="training_confidence_0_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session} · {self.run}"


class ClusteringRunQuerySet(models.QuerySet["ClusteringRun"]):
    """Query set of clustering runs."""

    def current(self, session_ids: Sequence[int]) -> Self:
        """Return the rows of these sessions that belong to the current run of the phase."""
        return self.filter(
            session__in=session_ids,
            session__job__phases__code=CLUSTERING,
            session__job__phases__run=F("run"),
        )


class ClusteringRun(models.Model):
    """Reported values of one clustering run.

    `total` is not stored as the phase's expected count: that would complete the phase before its worker does.
    """

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="clustering_runs")
    run = models.PositiveIntegerField()
    total = models.PositiveBigIntegerField(null=True, blank=True)
    clusters_created = models.PositiveBigIntegerField(null=True, blank=True)

    objects = ClusteringRunQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["session", "run"], name="training_clustering_once_per_run")]

    def __str__(self) -> str:
        return f"{self.session} · {self.run}"
