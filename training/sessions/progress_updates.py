"""Workers tell how far face detection and clustering are: absolute values, so that telling again is harmless."""

from __future__ import annotations

from typing import cast

from jobs.change import Actor, Change, change_jobs
from jobs.change.refusals import Call, require_open
from jobs.models import Phase
from jobs.tracking.count import count_up_to
from jobs.tracking.phase_control import fail_phase, finish_phase, start_phase
from training.models import CLUSTERING, FACE_DETECTION, ClusteringRun, FaceDetectionSession, TrainingSession
from training.sessions.types import FacesTold, Told

GROWING = ("faces_detected", "faces_assigned", "current_asset_index", "current_batch")
REPLACED = ("total_batches", "min_confidence", "batch_size")


def tell_faces(session: TrainingSession, told: FacesTold, *, by: Actor) -> FaceDetectionSession:
    """Keep what a worker tells of face detection; a count that is lower than before changes nothing.

    The first of a run begins a new detection session. It is a sign of life. WrongState behind the gate, after a
    cancel and after a force-complete.
    """
    with change_jobs([session.pk], by=by) as change:
        phase = _takes(change, FACE_DETECTION)
        change.record_heartbeat(change.job)
        detection = _detection(change, phase)
        values = _told(detection, told)
        if detection.pk is None or values:
            _keep(change, detection, values)
        return detection


def tell_clustering(
    session: TrainingSession,
    *,
    status: Told,
    current: int | None = None,
    total: int | None = None,
    clusters_created: int | None = None,
    error: str = "",
    by: Actor,
) -> ClusteringRun:
    """Say that clustering runs, is completed (0 clusters are fine) or has failed; again changes nothing.

    `current` is counted up to and never lower; `total` is only kept. WrongState behind the gate, after a cancel or
    a force-complete, and after a failure until a restart.
    """
    with change_jobs([session.pk], by=by) as change:
        phase = _takes(change, CLUSTERING)
        run = _run(phase)
        change.record_heartbeat(change.job)
        if status == "failed":
            fail_phase(change, phase, error=error)
        elif not phase.is_completed:
            _go_on(change, run, phase, current=current, total=total)
        if status == "completed":
            finish_phase(change, phase)
            _keep_clusters(change, run, clusters_created)
        return run


def _takes(change: Change, code: str) -> Phase:
    """The phase, if its workers may tell about it."""
    phase = change.phase_by_code(code)
    require_open(phase, Call.UPDATE)
    return phase


# --- faces -------------------------------------------------------------------------------------------


def _detection(change: Change, phase: Phase) -> FaceDetectionSession:
    """The detection session of the run that the phase is in; unsaved where nobody has told of it yet."""
    of_run = {"session_id": phase.job_id, "run": phase.run}
    found = FaceDetectionSession.objects.filter(**of_run).first()
    return found or FaceDetectionSession(created_at=change.now, **of_run)


def _told(detection: FaceDetectionSession, told: FacesTold) -> dict[str, float | None]:
    """What changes."""
    given = cast("dict[str, float | None]", told)
    values = {name: max(given[name] or 0, getattr(detection, name)) for name in GROWING if name in given}
    values |= {name: given[name] for name in REPLACED if name in given}
    return {name: value for name, value in values.items() if value != getattr(detection, name)}


def _keep(change: Change, detection: FaceDetectionSession, values: dict[str, float | None]) -> None:
    for name, value in values.items():
        setattr(detection, name, value)
    detection.updated_at = change.now
    detection.save()
    change.bump_revision(change.job)


# --- clustering --------------------------------------------------------------------------------------


def _run(phase: Phase) -> ClusteringRun:
    """What was told of the run that the phase is in."""
    return ClusteringRun.objects.get_or_create(session_id=phase.job_id, run=phase.run)[0]


def _go_on(change: Change, run: ClusteringRun, phase: Phase, *, current: int | None, total: int | None) -> None:
    start_phase(change, phase)
    if current is not None:
        count_up_to(change, phase, done=current)
    if total is not None and total != run.total:
        run.total = total
        run.save(update_fields=["total"])
        change.bump_revision(change.job)


def _keep_clusters(change: Change, run: ClusteringRun, clusters: int | None) -> None:
    """The number of clusters stays what it was told to be first."""
    if clusters is not None and run.clusters_created is None:
        run.clusters_created = clusters
        run.save(update_fields=["clusters_created"])
        change.bump_revision(change.job)
