"""Training sessions in the state that a test needs, made by the same verbs that workers call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from jobs import tracking
from jobs.models import Job, Phase
from jobs.tracking import Actor, Result
from tests.factories import WORKER, phase_of
from training import sessions
from training.models import TrainingImage, TrainingSession
from training.serializers import SessionBody, parts_of, session_bodies
from training.sessions import NewImage
from training.unified_progress import UnifiedBody, unified_body

TAKEN = datetime(2026, 1, 1, tzinfo=UTC)
PHASES = ("training", "face_detection")
_numbers = count(1)


def paths(number: int, *, start: int = 0) -> list[str]:
    """`number` paths: i0.jpg, i1.jpg, …"""
    return [f"i{n}.jpg" for n in range(start, start + number)]


def image(path: str, hash: str = "", *, day: int | None = None) -> NewImage:
    """An image, taken on this day where one is given."""
    return NewImage(path, hash, None if day is None else TAKEN + timedelta(days=day))


def images(unique: int, duplicates: int = 0) -> list[NewImage]:
    """So many images that are like no other, the first of which has so many duplicates."""
    alike = [image(path, "same") for path in paths(duplicates, start=unique)]
    return [image(path, "same" if n == 0 else f"hash-{n}") for n, path in enumerate(paths(unique))] + alike


def make_session(listed: Sequence[NewImage] | int | None = 3, **fields: Any) -> TrainingSession:
    """A session of these images, or of so many; None: its images are still being discovered."""
    given = images(listed) if isinstance(listed, int) else listed
    name = fields.pop("name", "") or f"session-{next(_numbers)}"
    return sessions.create_session(name=name, images=given, by=WORKER, **fields).session


def add(session: TrainingSession, *given: NewImage, complete: bool = False) -> sessions.ImagesAdded:
    """Add these images."""
    return sessions.add_images(session, images=given, complete=complete, by=WORKER)


def part(session: TrainingSession, code: str) -> Phase:
    """The phase of this code, fresh from the database."""
    return phase_of(job_of(session), code)


def job_of(session: TrainingSession) -> Job:
    """The job of the session, fresh from the database."""
    return Job.objects.select_related("training_session").get(pk=session.pk)


def report(session: TrainingSession, code: str, statuses: Sequence[str], *, start: int = 0) -> tracking.Reported:
    """Report one status after the other for the images i0.jpg, i1.jpg, … in one call."""
    named = zip(paths(len(statuses), start=start), statuses, strict=True)
    results = [Result(path, status, error="broken file" if status == "failed" else "") for path, status in named]
    return tracking.report(part(session, code), worker="w1", results=results, by=WORKER)


def finish(session: TrainingSession, *codes: str) -> None:
    """Complete every open image of these phases."""
    for code in codes:
        phase = part(session, code)
        while held := tracking.claim(phase, worker="w1", limit=1000, by=Actor(name="w1")).items:
            results = [Result(item.key, "completed", item.attempt) for item in held]
            tracking.report(part(session, code), worker="w1", results=results, by=WORKER)
            phase = part(session, code)


def faces(session: TrainingSession, **fields: Any) -> None:
    """Report faces."""
    sessions.update_faces(session, fields, by=WORKER)  # type: ignore[arg-type]


def clustering(session: TrainingSession, status: str, **fields: Any) -> None:
    """Report clustering."""
    sessions.update_clustering(session, status=status, by=WORKER, **fields)  # type: ignore[arg-type]


def completed_session(number: int = 3, *, clusters: int = 5) -> TrainingSession:
    """A session of which everything is done."""
    session = make_session(number)
    finish(session, *PHASES)
    clustering(session, "completed", clusters_created=clusters)
    return session


def ready() -> TrainingSession:
    """A session that waits for its clustering."""
    session = make_session(2)
    finish(session, "training", "face_detection")
    return session


def body(session: TrainingSession) -> SessionBody:
    """The session as everybody sees it."""
    return session_bodies([job_of(session)], now=timezone.now())[0]


def unified(session: TrainingSession) -> UnifiedBody:
    """The unified answer."""
    return unified_body(parts_of([job_of(session)], now=timezone.now())[0])


def image_of(session: TrainingSession, path: str) -> TrainingImage:
    """The image of this path."""
    return TrainingImage.objects.select_related("item").get(session=session, item__key=path)
