"""What others get to see of sessions: their bodies, loaded for many with a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from jobs.models import Job, Phase
from jobs.models.phases import phases_of
from jobs.rules.statuses import JobStatus, PhaseStatus
from jobs.serializers import JobBody, PhaseBody, job_bodies
from jobs.serializers.shapes import Moment
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
    """The images of a session; `skipped` ones need no work (duplicates, and what an operator skipped)."""

    total: int
    unique: int
    skipped: int


class FacesBody(TypedDict):
    """One detection session, told apart by its `run`; `current_asset_index` is at least what is settled."""

    run: int
    faces_detected: int
    faces_assigned: int
    current_asset_index: int
    current_batch: int
    total_batches: int | None
    min_confidence: float | None
    batch_size: int | None


class ClusteringBody(TypedDict):
    """The clustering of the faces; `total` is null while it is not known, `clusters_created` until it is told."""

    status: PartStatus
    current: int
    total: int | None
    clusters_created: int | None
    error: str
    started_at: Moment | None
    completed_at: Moment | None


class SessionBody(TypedDict):
    """A training session, with its job; `faces` is null until a worker has told of them in this run."""

    id: int
    name: str
    job: JobBody
    images: ImagesBody
    faces: FacesBody | None
    clustering: ClusteringBody


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the bodies of one session are made of."""

    session: TrainingSession
    job: JobBody
    phases: dict[str, Phase]
    detection: FaceDetectionSession | None
    clustering: ClusteringRun | None

    def body(self, code: str) -> PhaseBody:
        """The body of the phase of this code."""
        return next(phase for phase in self.job["phases"] if phase["code"] == code)


def parts_of(jobs: Sequence[Job], *, now: datetime) -> list[Parts]:
    """The parts of the sessions of these jobs in their order, job and phases of one moment; six queries for any number.

    `now` is the moment that rates are measured at.
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
    """Phases by their codes."""
    return {phase.code: phase for phase in phases}


def session_bodies(jobs: Sequence[Job], *, now: datetime) -> list[SessionBody]:
    """The bodies of the sessions of these jobs in their order."""
    return [session_body(parts) for parts in parts_of(jobs, now=now)]


def session_body(parts: Parts) -> SessionBody:
    """The body of one session; no query."""
    return {
        "id": parts.job["id"],
        "name": parts.job["name"],
        "job": parts.job,
        "images": images_body(parts),
        "faces": faces_body(parts) if parts.detection else None,
        "clustering": clustering_body(parts),
    }


def images_body(parts: Parts) -> ImagesBody:
    """How many images there are, and how many of them need no work."""
    phase = parts.phases[TRAINING]
    return {"total": phase.items_total, "unique": phase.items_total - phase.skipped, "skipped": phase.skipped}


def faces_body(parts: Parts) -> FacesBody:
    """The detection session of this run; zeros and nulls where nobody has told of it."""
    phase = parts.phases[FACE_DETECTION]
    told = parts.detection or FaceDetectionSession(run=phase.run)
    return {
        "run": told.run,
        "faces_detected": told.faces_detected,
        "faces_assigned": told.faces_assigned,
        "current_asset_index": max(told.current_asset_index, phase.counts.settled),
        "current_batch": told.current_batch,
        "total_batches": told.total_batches,
        "min_confidence": told.min_confidence,
        "batch_size": told.batch_size,
    }


def clustering_body(parts: Parts) -> ClusteringBody:
    """How far the clustering of this run is."""
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
    """What the worker told it to be, else what was counted in the end; None while nobody knows."""
    told = parts.clustering.total if parts.clustering else None
    return parts.phases[CLUSTERING].expected if told is None else told


def clusters_created(parts: Parts) -> int | None:
    """The number of clusters: 0 where a worker completed without a number, None where none has told anything."""
    if parts.clustering is None:
        return None
    phase = parts.phases[CLUSTERING]
    default = 0 if phase.is_completed and not phase.forced else None
    return default if parts.clustering.clusters_created is None else parts.clustering.clusters_created


def part_status(job: JobBody, phase: Phase) -> PartStatus:
    """The status of a phase in the words of training; one that has begun pauses with its job."""
    if phase.is_open and job["status"] == JobStatus.PAUSED and phase.started_at is not None:
        return "paused"
    return PART_STATUS[PhaseStatus(phase.status)]
