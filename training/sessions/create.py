"""Creation of sessions and images: idempotent by name and path, one representative per hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jobs import tracking
from jobs.change import Actor, Change, change_jobs, unit_of_work
from jobs.change.refusals import Call, not_cancelled, require_open
from jobs.db import bulk_sql
from jobs.models import Item, Job, Phase
from jobs.models.items import digest
from jobs.rules.errors import Conflict
from jobs.tracking import NewItem
from jobs.tracking.create import close_list, list_items, skip_listed
from training.models import FACE_DETECTION, TRAINING, TrainingImage, TrainingSession
from training.sessions.pipeline import PIPELINE
from training.sessions.types import Created, ImagesAdded, NewImage

OLDEST = datetime.min.replace(tzinfo=UTC)
IMAGE_FIELDS = ("item", "hash", "created_at", "duplicate_of")


def create_session(
    *,
    name: str,
    images: Sequence[NewImage] | None,
    project: str = "",
    metadata: dict[str, Any] | None = None,
    by: Actor,
    **options: Any,
) -> Created:
    """Create a session with its job, or get the one with this name and add its new images.

    `images`, even empty, is the complete list; None leaves it open for `add_images`. `options` are
    further arguments of `create_job`, such as `priority`. Raises the errors of `create_job`.
    """
    with unit_of_work():
        job, created = _job(name=name, project=project, metadata=metadata, by=by, **options)
        with change_jobs([job.pk], by=by) as change:
            session = _begin(change) if created else _session(change.job)
            if images is not None:
                _add_new(change, session, images)
                _complete(change, session)
    return Created(session, created)


def add_images(
    session: TrainingSession, *, images: Sequence[NewImage], complete: bool = False, by: Actor
) -> ImagesAdded:
    """Add images to a session; `complete` closes the lists of both image phases.

    Existing paths stay unchanged. Of the images with one hash in this call, the oldest represents the others unless
    an earlier call added a representative; the others are skipped immediately. Raises WrongState for new images of a
    finished phase or a cancelled job.
    """
    with change_jobs([session.pk], by=by) as change:
        locked = _session(change.job)
        added = _add_new(change, locked, images)
        if complete:
            _complete(change, locked)
        return added


# --- the job and its session -------------------------------------------------------------------------


def _job(**arguments: Any) -> tuple[Job, bool]:
    result = tracking.create_job(kind=PIPELINE.code, **arguments)
    return result.job, result.created


def _begin(change: Change) -> TrainingSession:
    """Create a session with open, empty lists."""
    for code in (TRAINING, FACE_DETECTION):
        list_items(change, change.phase_by_code(code), [])
    return TrainingSession.objects.create(job=change.job, created_at=change.now)


def _session(job: Job) -> TrainingSession:
    session = TrainingSession.objects.filter(pk=job.pk).first()
    if session is None:
        raise Conflict(f"The job name {job.name} is used by another job. Choose another name.", code="name_taken")
    session.job = job
    return session


def _complete(change: Change, session: TrainingSession) -> None:
    """Close the lists of images."""
    if session.complete:
        return
    not_cancelled(change.job, "completing its list of images")
    close_list(change, change.phase_by_code(TRAINING))
    close_list(change, change.phase_by_code(FACE_DETECTION))
    session.complete = True
    TrainingSession.objects.filter(pk=session.pk).update(complete=True)


# --- images ------------------------------------------------------------------------------------------


def _add_new(change: Change, session: TrainingSession, images: Sequence[NewImage]) -> ImagesAdded:
    training = change.phase_by_code(TRAINING)
    new = _new_images(training, images)
    if not new:
        return ImagesAdded(0, len(images), 0)
    _check_open(change)
    items = [NewItem(image.path, payload={"hash": image.hash}) for image in new.values()]
    list_items(change, training, items)
    list_items(change, change.phase_by_code(FACE_DETECTION), items)
    skipped = _insert(change, session, new)
    return ImagesAdded(len(new), len(images) - len(new), skipped)


def _new_images(training: Phase, images: Sequence[NewImage]) -> dict[str, NewImage]:
    """Return the new images by the digest of their path; of a repeated path the first one."""
    given: dict[str, NewImage] = {}
    for image in images:
        given.setdefault(digest(image.path), image)
    known = _ids(training, given)
    return {fingerprint: image for fingerprint, image in given.items() if fingerprint not in known}


def _ids(training: Phase, fingerprints: Iterable[str]) -> dict[str, int]:
    """Return the item ids of the phase by the digest of their path."""
    keys = [(training.pk, fingerprint) for fingerprint in fingerprints]
    found = bulk_sql.lookup(Item, keys, match=("phase", "key_digest"), fields=("key_digest", "id"))
    return dict(found)


def _check_open(change: Change) -> None:
    for code in (TRAINING, FACE_DETECTION):
        require_open(change.phase_by_code(code), Call.ADD_IMAGES)


def _insert(change: Change, session: TrainingSession, new: Mapping[str, NewImage]) -> int:
    """Store new images, skip the duplicates, and return the number of duplicates."""
    training = change.phase_by_code(TRAINING)
    ids = _ids(training, new)
    images = {ids[fingerprint]: image for fingerprint, image in new.items()}
    duplicates = _duplicates(session, images)
    values = [(pk, image.hash, image.created_at, duplicates.get(pk)) for pk, image in images.items()]
    bulk_sql.insert(TrainingImage, values, fields=IMAGE_FIELDS, constants={"session": session.pk})
    if duplicates:
        skip_listed(change, training, {pk: f"Duplicate of image {of}" for pk, of in duplicates.items()})
    return len(duplicates)


def _duplicates(session: TrainingSession, images: Mapping[int, NewImage]) -> dict[int, int]:
    """Return the id of the representative by the id of each duplicate."""
    by_hash: dict[str, list[int]] = defaultdict(list)
    for pk, image in images.items():
        if image.hash:
            by_hash[image.hash].append(pk)
    known = _representatives(session, by_hash)
    chosen = {hash_value: known.get(hash_value) or _oldest(pks, images) for hash_value, pks in by_hash.items()}
    return {pk: chosen[hash_value] for hash_value, pks in by_hash.items() for pk in pks if pk != chosen[hash_value]}


def _representatives(session: TrainingSession, hashes: Iterable[str]) -> dict[str, int]:
    found = TrainingImage.objects.representatives().filter(session=session, hash__in=list(hashes))
    return dict(found.values_list("hash", "pk").order_by())


def _oldest(pks: Sequence[int], images: Mapping[int, NewImage]) -> int:
    """Return the image taken first; unknown times come last, ties follow the order of the list."""
    return min(pks, key=lambda pk: (images[pk].created_at is None, images[pk].created_at or OLDEST))
