"""Workers tell how far face detection and clustering are: absolute values, so that telling again is harmless."""

from __future__ import annotations

from typing import cast

from jobs.change import Actor, Change, change
from jobs.change.refusals import Call, require_open
from jobs.models import Phase
from jobs.tracking.announce import count_up_to, fail_phase, finish_phase, start_phase
from training.models import CLUSTERING, FACE_DETECTION, ClusteringRun, FaceDetectionSession, TrainingSession
from training.sessions.types import FacesTold, Told

GROWING = ("faces_detected", "faces_assigned", "current_asset_index", "current_batch")
REPLACED = ("total_batches", "min_confidence", "batch_size")


def tell_faces(session: TrainingSession, told: FacesTold, *, by: Actor) -> FaceDetectionSession:
    """Keep what a worker tells of face detection; a count that is lower than before changes nothing.

    The first of a run begins a new detection session. It is a sign of life. WrongState behind the gate, after a
    cancel and after a force-complete.
    """
    with change([session.pk], by=by) as c:
        phase = _takes(c, FACE_DETECTION)
        c.heard(c.job)
        detection = _detection(c, phase)
        values = _told(detection, told)
        if detection.pk is None or values:
            _keep(c, detection, values)
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
    with change([session.pk], by=by) as c:
        phase = _takes(c, CLUSTERING)
        run = _run(phase)
        c.heard(c.job)
        if status == "failed":
            fail_phase(c, phase, error=error)
        elif not phase.is_completed:
            _go_on(c, run, phase, current=current, total=total)
        if status == "completed":
            finish_phase(c, phase)
            _keep_clusters(c, run, clusters_created)
        return run


def _takes(c: Change, code: str) -> Phase:
    """The phase, if its workers may tell about it."""
    phase = c.phase_by_code(code)
    require_open(phase, Call.TELL)
    return phase


# --- faces -------------------------------------------------------------------------------------------


def _detection(c: Change, phase: Phase) -> FaceDetectionSession:
    """The detection session of the run that the phase is in; unsaved where nobody has told of it yet."""
    of_run = {"session_id": phase.job_id, "run": phase.run}
    found = FaceDetectionSession.objects.filter(**of_run).first()
    return found or FaceDetectionSession(created_at=c.now, **of_run)


def _told(detection: FaceDetectionSession, told: FacesTold) -> dict[str, float | None]:
    """What changes."""
    given = cast("dict[str, float | None]", told)
    values = {name: max(given[name] or 0, getattr(detection, name)) for name in GROWING if name in given}
    values |= {name: given[name] for name in REPLACED if name in given}
    return {name: value for name, value in values.items() if value != getattr(detection, name)}


def _keep(c: Change, detection: FaceDetectionSession, values: dict[str, float | None]) -> None:
    for name, value in values.items():
        setattr(detection, name, value)
    detection.updated_at = c.now
    detection.save()
    c.touch(c.job)


# --- clustering --------------------------------------------------------------------------------------


def _run(phase: Phase) -> ClusteringRun:
    """What was told of the run that the phase is in."""
    return ClusteringRun.objects.get_or_create(session_id=phase.job_id, run=phase.run)[0]


def _go_on(c: Change, run: ClusteringRun, phase: Phase, *, current: int | None, total: int | None) -> None:
    start_phase(c, phase)
    if current is not None:
        count_up_to(c, phase, done=current)
    if total is not None and total != run.total:
        run.total = total
        run.save(update_fields=["total"])
        c.touch(c.job)


def _keep_clusters(c: Change, run: ClusteringRun, clusters: int | None) -> None:
    """The number of clusters stays what it was told to be first."""
    if clusters is not None and run.clusters_created is None:
        run.clusters_created = clusters
        run.save(update_fields=["clusters_created"])
        c.touch(c.job)
