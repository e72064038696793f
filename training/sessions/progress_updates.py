"""Progress reports of face detection and clustering: absolute values, so that repeats are harmless."""

from __future__ import annotations

from typing import cast

from jobs.change import Actor, Change, change_jobs
from jobs.change.refusals import Call, require_open
from jobs.models import Phase
from jobs.tracking.count import count_up_to
from jobs.tracking.phase_control import fail_phase, finish_phase, start_phase
from training.models import CLUSTERING, FACE_DETECTION, ClusteringRun, FaceDetectionSession, TrainingSession
from training.sessions.types import ClusteringStatus, FacesUpdate

GROWING = ("faces_detected", "faces_assigned", "current_asset_index", "current_batch")
REPLACED = ("total_batches", "min_confidence", "batch_size")


def update_faces(session: TrainingSession, reported: FacesUpdate, *, by: Actor) -> FaceDetectionSession:
    """Store reported values of face detection; a lower count than before changes nothing.

    The first report of a run starts a new detection session. A report is also a heartbeat. Raises WrongState behind
    the gate, after a cancel and after a force-complete.
    """
    with change_jobs([session.pk], by=by) as change:
        phase = _open_phase(change, FACE_DETECTION)
        change.record_heartbeat(change.job)
        detection = _detection(change, phase)
        values = _changes(detection, reported)
        if detection.pk is None or values:
            _save(change, detection, values)
        return detection


def update_clustering(
    session: TrainingSession,
    *,
    status: ClusteringStatus,
    current: int | None = None,
    total: int | None = None,
    clusters_created: int | None = None,
    error: str = "",
    by: Actor,
) -> ClusteringRun:
    """Report clustering as running, completed (0 clusters are valid) or failed; repeats change nothing.

    The count rises to `current` and never falls; `total` is only stored. Raises WrongState behind the gate, after a
    cancel or a force-complete, and after a failure until a restart.
    """
    with change_jobs([session.pk], by=by) as change:
        phase = _open_phase(change, CLUSTERING)
        run = _run(phase)
        change.record_heartbeat(change.job)
        if status == "failed":
            fail_phase(change, phase, error=error)
        elif not phase.is_completed:
            _advance(change, run, phase, current=current, total=total)
        if status == "completed":
            finish_phase(change, phase)
            _save_clusters(change, run, clusters_created)
        return run


def _open_phase(change: Change, code: str) -> Phase:
    """Return the phase if it accepts progress reports."""
    phase = change.phase_by_code(code)
    require_open(phase, Call.UPDATE)
    return phase


# --- faces -------------------------------------------------------------------------------------------


def _detection(change: Change, phase: Phase) -> FaceDetectionSession:
    """Return the detection session of the current run; unsaved before the first report."""
    of_run = {"session_id": phase.job_id, "run": phase.run}
    found = FaceDetectionSession.objects.filter(**of_run).first()
    return found or FaceDetectionSession(created_at=change.now, **of_run)


def _changes(detection: FaceDetectionSession, reported: FacesUpdate) -> dict[str, float | None]:
    """Return the values that differ from the stored ones."""
    values_given = cast("dict[str, float | None]", reported)
    values = {name: max(values_given[name] or 0, getattr(detection, name)) for name in GROWING if name in values_given}
    values |= {name: values_given[name] for name in REPLACED if name in values_given}
    return {name: value for name, value in values.items() if value != getattr(detection, name)}


def _save(change: Change, detection: FaceDetectionSession, values: dict[str, float | None]) -> None:
    for name, value in values.items():
        setattr(detection, name, value)
    detection.updated_at = change.now
    detection.save()
    change.bump_revision(change.job)


# --- clustering --------------------------------------------------------------------------------------


def _run(phase: Phase) -> ClusteringRun:
    """Return the clustering of the current run."""
    return ClusteringRun.objects.get_or_create(session_id=phase.job_id, run=phase.run)[0]


def _advance(change: Change, run: ClusteringRun, phase: Phase, *, current: int | None, total: int | None) -> None:
    start_phase(change, phase)
    if current is not None:
        count_up_to(change, phase, done=current)
    if total is not None and total != run.total:
        run.total = total
        run.save(update_fields=["total"])
        change.bump_revision(change.job)


def _save_clusters(change: Change, run: ClusteringRun, clusters: int | None) -> None:
    """Store the number of clusters; the first reported number stays."""
    if clusters is not None and run.clusters_created is None:
        run.clusters_created = clusters
        run.save(update_fields=["clusters_created"])
        change.bump_revision(change.job)
