"""JSON representations of sessions, loaded in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from jobs.models import Job, Phase
from jobs.models.phases import phases_of
from jobs.rules.field_types import Moment
from jobs.rules.statuses import JobStatus, PhaseStatus
from jobs.serializers import JobBody, PhaseBody, job_bodies
from training.models import (
    CLUSTERING,
    FACE_DETECTION,
    TRAINING,
    ClusteringRun,
    FaceDetectionSession,
    TrainingSession,
)

PartStatus = Literal["pending", "running", "completed", "failed", "paused", "cancelled"]
PART_STATUS: dict[PhaseStatus, PartStatus] = {
    PhaseStatus.PENDING: "pending",
    PhaseStatus.PROCESSING: "running",
    PhaseStatus.COMPLETED: "completed",
    PhaseStatus.FAILED: "failed",
    PhaseStatus.CANCELLED: "cancelled",
}


class ImagesBody(TypedDict):
    """The images of a session; `skipped` counts duplicates and images that an operator skipped."""

    total: int
    unique: int
    skipped: int


class FacesBody(TypedDict):
    """One detection session, identified by its `run`; `current_asset_index` is at least the settled count."""

    run: int
    faces_detected: int
    faces_assigned: int
    current_asset_index: int
    current_batch: int
    total_batches: int | None
    min_confidence: float | None
    batch_size: int | None


class ClusteringBody(TypedDict):
    """The clustering of the faces; `total` and `clusters_created` are null until they are known."""

    status: PartStatus
    current: int
    total: int | None
    clusters_created: int | None
    error: str
    started_at: Moment | None
    completed_at: Moment | None


class SessionBody(TypedDict):
    """A training session, with its job; `faces` is null until a worker reports on them in this run."""

    id: int
    name: str
    job: JobBody
    images: ImagesBody
    faces: FacesBody | None
    clustering: ClusteringBody


@dataclass(frozen=True, slots=True)
class Parts:
    """The loaded data of one session."""

    session: TrainingSession
    job: JobBody
    phases: dict[str, Phase]
    detection: FaceDetectionSession | None
    clustering: ClusteringRun | None

    def body(self, code: str) -> PhaseBody:
        """Return the body of the phase with this code."""
        return next(phase for phase in self.job["phases"] if phase["code"] == code)


def parts_of(jobs: Sequence[Job], *, now: datetime) -> list[Parts]:
    """Load the sessions of these jobs in order, with jobs and phases of one moment; six queries for any number.

    Rates are measured at `now`.
    """
    ids = [job.pk for job in jobs]
    sessions, phases = TrainingSession.objects.in_bulk(ids), phases_of(jobs)
    detections = {row.session_id: row for row in FaceDetectionSession.objects.current(ids)}
    runs = {row.session_id: row for row in ClusteringRun.objects.current(ids)}
    return [
        Parts(sessions[job.pk], body, by_code(phases[job.pk]), detections.get(job.pk), runs.get(job.pk))
        for job, body in zip(jobs, job_bodies(jobs, now=now, phases=phases), strict=True)
    ]


def by_code(phases: Iterable[Phase]) -> dict[str, Phase]:
    """Return phases by code."""
    return {phase.code: phase for phase in phases}


def session_bodies(jobs: Sequence[Job], *, now: datetime) -> list[SessionBody]:
    """Return the bodies of the sessions of these jobs in order."""
    return [session_body(parts) for parts in parts_of(jobs, now=now)]


def session_body(parts: Parts) -> SessionBody:
    """Return the body of one session; no query."""
    return {
        "id": parts.job["id"],
        "name": parts.job["name"],
        "job": parts.job,
        "images": images_body(parts),
        "faces": faces_body(parts) if parts.detection else None,
        "clustering": clustering_body(parts),
    }


def images_body(parts: Parts) -> ImagesBody:
    """Return the numbers of images."""
    phase = parts.phases[TRAINING]
    return {"total": phase.items_total, "unique": phase.items_total - phase.skipped, "skipped": phase.skipped}


def faces_body(parts: Parts) -> FacesBody:
    """Return the detection session of this run; zeros and nulls before the first report."""
    phase = parts.phases[FACE_DETECTION]
    reported = parts.detection or FaceDetectionSession(run=phase.run)
    return {
        "run": reported.run,
        "faces_detected": reported.faces_detected,
        "faces_assigned": reported.faces_assigned,
        "current_asset_index": max(reported.current_asset_index, phase.counts.settled),
        "current_batch": reported.current_batch,
        "total_batches": reported.total_batches,
        "min_confidence": reported.min_confidence,
        "batch_size": reported.batch_size,
    }


def clustering_body(parts: Parts) -> ClusteringBody:
    """Return the clustering of this run."""
    phase = parts.phases[CLUSTERING]
    return {
        "status": part_status(parts.job, phase),
        "current": phase.done,
        "total": clustering_total(parts),
        "clusters_created": clusters_created(parts),
        "error": phase.error,
        "started_at": phase.started_at,
        "completed_at": phase.completed_at,
    }


def clustering_total(parts: Parts) -> int | None:
    """Return the total that the worker reported, else the counted one; None while it is unknown."""
    reported = parts.clustering.total if parts.clustering else None
    return parts.phases[CLUSTERING].expected if reported is None else reported


def clusters_created(parts: Parts) -> int | None:
    """Return the number of clusters: 0 if the worker completed without a number, None before any report."""
    if parts.clustering is None:
        return None
    phase = parts.phases[CLUSTERING]
    default = 0 if phase.is_completed and not phase.forced else None
    return default if parts.clustering.clusters_created is None else parts.clustering.clusters_created


def part_status(job: JobBody, phase: Phase) -> PartStatus:
    """Return the status of a phase in the terms of training; a started phase is paused with its job."""
    if phase.is_open and job["status"] == JobStatus.PAUSED and phase.started_at is not None:
        return "paused"
    return PART_STATUS[PhaseStatus(phase.status)]
