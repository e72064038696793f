"""The unified progress: three phases and one overall percentage. An existing client requires the camelCase keys."""

from __future__ import annotations

from typing import Literal, TypedDict

from jobs.rules.field_types import Moment
from jobs.rules.statuses import JobStatus
from training.models import CLUSTERING, FACE_DETECTION, TRAINING
from training.percentages import Part, overall, percentage
from training.serializers import (
    Parts,
    PartStatus,
    clustering_total,
    clusters_created,
    images_body,
    part_status,
)

OverallStatus = Literal["pending", "discovering", "running", "paused", "completed", "failed", "cancelled"]
CurrentPhase = Literal["training", "face_detection", "clustering", "completed"]
ORDER: tuple[CurrentPhase, ...] = ("training", "face_detection", "clustering")
FIXED_STATUS: dict[JobStatus, OverallStatus] = {
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
    JobStatus.PAUSED: "paused",
}


class OverallProgress(TypedDict):
    """The whole session: percent with two decimals; seconds left if the rates are known."""

    percentage: float
    etaSeconds: int | None
    currentPhase: CurrentPhase


class PartProgress(TypedDict):
    """One phase: `total` is 0 while it is not known."""

    current: int
    total: int
    percentage: float
    etaSeconds: int | None


class TrainingProgress(PartProgress):
    """The phase of images; `current` includes skipped images."""

    imagesPerMinute: float | None
    unique: int
    skipped: int
    failed: int


class TrainingPart(TypedDict):
    """Training of the images."""

    name: Literal["training"]
    status: PartStatus
    progress: TrainingProgress
    startedAt: Moment | None
    completedAt: Moment | None


class FaceDetectionPart(TypedDict):
    """Detection of faces in every image."""

    name: Literal["face_detection"]
    status: PartStatus
    progress: PartProgress
    startedAt: Moment | None
    completedAt: Moment | None
    facesDetected: int


class ClusteringPart(TypedDict):
    """Clustering of the faces; `clustersCreated` is null until it is reported."""

    name: Literal["clustering"]
    status: PartStatus
    progress: PartProgress
    startedAt: Moment | None
    completedAt: Moment | None
    clustersCreated: int | None


class UnifiedPhases(TypedDict):
    """The three phases in their order."""

    training: TrainingPart
    faceDetection: FaceDetectionPart
    clustering: ClusteringPart


class UnifiedBody(TypedDict):
    """The progress of a session; clients stop polling at completed, failed and cancelled only."""

    sessionId: int
    overallStatus: OverallStatus
    overallProgress: OverallProgress
    phases: UnifiedPhases


def unified_body(parts: Parts) -> UnifiedBody:
    """Return the unified progress of one session; no query."""
    return {
        "sessionId": parts.job["id"],
        "overallStatus": overall_status(parts),
        "overallProgress": {
            "percentage": overall([_part(parts, code) for code in ORDER]),
            "etaSeconds": parts.job["eta_seconds"],
            "currentPhase": current_phase(parts),
        },
        "phases": {
            "training": _training(parts),
            "faceDetection": _face_detection(parts),
            "clustering": _clustering(parts),
        },
    }


def overall_status(parts: Parts) -> OverallStatus:
    """Return the status: the job's end or pause first, then an open list of images, then the work."""
    status = JobStatus(parts.job["status"])
    if status in FIXED_STATUS:
        return FIXED_STATUS[status]
    if not parts.session.complete and parts.phases[TRAINING].is_open:
        return "discovering"
    return "running" if status == JobStatus.PROCESSING else "pending"


def current_phase(parts: Parts) -> CurrentPhase:
    """Return the first phase that is not completed."""
    return next((code for code in ORDER if not parts.phases[code].is_completed), "completed")


def _training(parts: Parts) -> TrainingPart:
    phase, images = parts.phases[TRAINING], images_body(parts)
    return {
        "name": "training",
        "status": part_status(parts.job, phase),
        "progress": {
            **_progress(parts, TRAINING),
            "imagesPerMinute": parts.body(TRAINING)["rate_per_minute"],
            "unique": images["unique"],
            "skipped": images["skipped"],
            "failed": phase.failed,
        },
        "startedAt": phase.started_at,
        "completedAt": phase.completed_at,
    }


def _face_detection(parts: Parts) -> FaceDetectionPart:
    phase = parts.phases[FACE_DETECTION]
    return {
        "name": "face_detection",
        "status": part_status(parts.job, phase),
        "progress": _progress(parts, FACE_DETECTION),
        "startedAt": phase.started_at,
        "completedAt": phase.completed_at,
        "facesDetected": parts.detection.faces_detected if parts.detection else 0,
    }


def _clustering(parts: Parts) -> ClusteringPart:
    phase = parts.phases[CLUSTERING]
    return {
        "name": "clustering",
        "status": part_status(parts.job, phase),
        "progress": _progress(parts, CLUSTERING),
        "startedAt": phase.started_at,
        "completedAt": phase.completed_at,
        "clustersCreated": clusters_created(parts),
    }


def _progress(parts: Parts, code: str) -> PartProgress:
    part = _part(parts, code)
    return {
        "current": part.current,
        "total": part.total or 0,
        "percentage": percentage(part),
        "etaSeconds": parts.body(code)["eta_seconds"],
    }


def _part(parts: Parts, code: str) -> Part:
    phase = parts.phases[code]
    total = clustering_total(parts) if code == CLUSTERING else phase.expected
    return Part(current=phase.counts.processed, total=total, completed=phase.is_completed, weight=phase.weight)
