"""A training session in every state that its page can show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs import operations
from tests.training.factories import add, clustering, faces, finish, images, job_of, make_session, report
from training.models import TrainingSession

UNIQUE, DUPLICATES = 12, 8


def make_in(state: str, **fields: Any) -> TrainingSession:
    """A session of twenty images in this state, with what came before it."""
    if state == "discovering":
        session = make_session(None, **fields)
        add(session, *images(UNIQUE, DUPLICATES))
        return session
    session = make_session(images(UNIQUE, DUPLICATES), **fields)
    STATES[state](session)
    return session


def _training(session: TrainingSession) -> None:
    report(session, "training", ["completed"] * 6 + ["failed"])


def _faces(session: TrainingSession) -> None:
    finish(session, "training")
    report(session, "face_detection", ["completed"] * 5 + ["failed"])
    faces(session, faces_detected=41, faces_assigned=37, current_batch=1, total_batches=2)
    faces(session, batch_size=16, min_confidence=0.7)


def _clustering(session: TrainingSession, **fields: Any) -> None:
    finish(session, "training", "face_detection")
    faces(session, faces_detected=97, faces_assigned=90, current_batch=2, total_batches=2)
    clustering(session, fields.pop("status", "running"), **fields)


def _failed(session: TrainingSession) -> None:
    report(session, "training", ["failed"] * 6 + ["completed"] * 6)


def _paused(session: TrainingSession) -> None:
    _training(session)
    operations.pause(job_of(session), actor=None, reason="the GPU is needed")


def _cancelled(session: TrainingSession) -> None:
    _training(session)
    operations.cancel(job_of(session), actor=None, reason="wrong folder")


STATES: dict[str, Callable[[TrainingSession], None]] = {
    "discovering": lambda session: None,
    "pending": lambda session: None,
    "training": _training,
    "faces": _faces,
    "clustering": _clustering,
    "counted": lambda session: _clustering(session, current=30, total=97),
    "completed": lambda session: _clustering(session, status="completed", clusters_created=5),
    "no_clusters": lambda session: _clustering(session, status="completed"),
    "unclustered": lambda session: _clustering(session, status="failed", error="HDBSCAN ran out of memory"),
    "failed": _failed,
    "paused": _paused,
    "cancelled": _cancelled,
}
