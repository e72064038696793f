"""ProgressTracker, the class that scripts use."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Self, overload

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from jobs import operations, tracking
from jobs.change import Actor, unit_of_work
from jobs.models import Item, Job, Phase
from jobs.rules import names
from jobs.rules.errors import NotFound
from jobs.rules.statuses import ItemStatus
from jobs.tracker import checkpoints, marks, text, uploads
from jobs.tracker.arguments import STATUS_OF, Status, bounded, job_options, new_images, pending_limit, sentence
from jobs.tracker.retry_on_lock import retry_on_lock

ALWAYS = ("train", "valid", "test")
MARKS = {status: item for item, status in STATUS_OF.items() if item != ItemStatus.SKIPPED}


class ProgressTracker:
    """Progress of images that are processed one by one, over any number of processes.

    Every mark is durable when the call returns. Calls wait for a locked database, see `retry_on_lock`.
    One tracker may be shared by threads and by forked children; each counts as a worker of its own. In a child of a
    process in which another thread had the SQLite file open, each call raises RuntimeError that says how to avoid it.
    """

    def __init__(self, db_path: str | os.PathLike[str] | None = None, *, worker: str = "") -> None:
        """Create a tracker. `db_path` is accepted from old scripts and not used: the database is the site's.

        `worker` is shown to operators as the holder of images; by default the machine's name and a random number.
        """
        self._worker = worker[:100] or f"{socket.gethostname()[:80]}-{token_hex(4)}"
        self._owner = os.getpid(), threading.get_native_id()
        self._changed: set[int] = set()

    @property
    def worker(self) -> str:
        """Name of the calling thread as a worker: the plain name in the tracker's own process and thread."""
        process, thread = caller = os.getpid(), threading.get_native_id()
        return self._worker if caller == self._owner else f"{self._worker}.{process}.{thread}"

    # --- jobs ----------------------------------------------------------------------------------------

    @retry_on_lock
    def create_job(
        self,
        name: str,
        image_paths: Sequence[str | os.PathLike[str]],
        splits: Sequence[str] | None = None,
        **options: Any,
    ) -> int:
        """Create the job, or find the one of this name and add missing paths; return its id.

        The job appears with all its images or not at all. New images start a new run of a finished job.
        `options` are those of `tracking.JobOptions`, for a new job: `retries` (here 0 by default), `retry_delay`,
        `retry_delay_max`, `due_at`, `expected_seconds`, `silent_after`, `stalled_after`, `priority`.
        ValueError for fewer splits than paths, and for a text or an option outside its limits.
        """
        name = bounded(name, field="name")
        images, chosen = new_images(image_paths, splits), job_options(options)
        with unit_of_work():
            job = tracking.create_job(name=name, items=images, reopen=True, by=Actor(name=self.worker), **chosen).job
            checkpoints.take(job.pk, worker=self.worker)
        return job.pk

    @retry_on_lock
    def get_job_id(self, name: str) -> int | None:
        """Return the id of the job of this name, or None."""
        return Job.objects.filter(name=names.plain(name)).values_list("pk", flat=True).first()

    # --- images --------------------------------------------------------------------------------------

    @retry_on_lock
    def get_pending_images(self, job_id: int, limit: int = 100) -> list[tuple[int, Path, str]]:
        """Return up to `limit` (at most 10,000) pending images in their order: (id, path, split). Nothing is claimed.

        Another worker may get the same ones; `mark_processing` decides whose each is. An image that waits for its
        automatic retry is left out until it is due.
        """
        most = pending_limit(limit)
        phase = _images_phase(job_id)
        if phase is None:
            return []
        due = Q(available_at__isnull=True) | Q(available_at__lte=timezone.now())
        pending = phase.items.filter(due, status=ItemStatus.PENDING).order_by("pk")
        return [(pk, Path(key), split) for pk, key, split in pending.values_list("pk", "key", "split")[:most]]

    @overload
    def mark_processing(self, image_ids: int) -> bool: ...
    @overload
    def mark_processing(self, image_ids: Sequence[int]) -> list[int]: ...
    def mark_processing(self, image_ids: int | Sequence[int]) -> bool | list[int]:
        """Take pending images; return the ids of those that this worker got. Others are held or settled.

        For one id, return whether this worker got it. Images are held without a lease: until they are marked again, or
        freed by `reset_stuck_images` or an operator's release.
        """
        if isinstance(image_ids, int):
            return bool(self.mark_many([image_ids], Status.PROCESSING))
        return self.mark_many(image_ids, Status.PROCESSING)

    def mark_completed(self, image_id: int) -> bool:
        """Count the image as done; True also when it was done before. False if its job accepts no reports."""
        return bool(self.mark_many([image_id], Status.COMPLETED))

    def mark_error(self, image_id: int, error: object) -> bool:
        """Count the image as failed, with at most 500 characters of the error. False if it is done already."""
        return bool(self.mark_many([image_id], Status.ERROR, error=error))

    @retry_on_lock
    def mark_many(self, image_ids: Sequence[int], status: Status | str, *, error: object = "") -> list[int]:
        """Mark many images in a few transactions; return the ids of those that now have this status (and are ours).

        KeyError for an unknown id, and ValueError for an unknown status; nothing is marked then.
        """
        items = marks.find(marks.images(), image_ids, kind="image")
        marked = marks.mark(items, MARKS[Status(status)], error=sentence(error), worker=self.worker)
        self._changed.update(item.job for item in items)
        return marked

    # --- figures -------------------------------------------------------------------------------------

    @retry_on_lock
    def checkpoint(self, job_id: int | None = None) -> None:
        """Store the present figures for `get_progress`: of one job, or of all that this tracker has changed."""
        chosen = [job_id] if job_id is not None else sorted(self._changed)
        for pk in chosen:
            with suppress(NotFound):
                checkpoints.take(pk, worker=self.worker)
        self._changed.difference_update(chosen)

    @retry_on_lock
    def get_progress(self, job_id: int) -> dict[str, Any]:
        """Return the figures of the last checkpoint (creating counts as one) and the present status; {} if unknown."""
        job = Job.objects.filter(pk=job_id).first()
        return checkpoints.progress(job) if job else {}

    @retry_on_lock
    def get_progress_by_split(self, job_id: int) -> dict[str, dict[str, int]]:
        """Return the live counts of each split: train, valid and test always, others as the images have them."""
        answer = {split: _no_images() for split in ALWAYS}
        phase = _images_phase(job_id)
        items = Item.objects.filter(phase=phase) if phase else Item.objects.none()
        counted = items.order_by("split").values_list("split", "status").annotate(number=Count("pk"))
        for split, status, number in counted:
            counts = answer.setdefault(split, _no_images())
            counts["total"] += number
            counts[STATUS_OF[ItemStatus(status)]] += number
        return answer

    def report(self, job_id: int) -> str:
        """Return the live figures as a text for people; KeyError if there is no such job."""
        job = Job.objects.filter(pk=job_id).first()
        if job is None:
            raise KeyError(f"There is no job {job_id}.")
        return text.report(job.name, self.get_progress_by_split(job_id))

    # --- resets --------------------------------------------------------------------------------------

    @retry_on_lock
    def reset_stuck_images(self, job_id: int) -> int:
        """Make held images without a live lease pending; return their number. Images under a live lease stay with their
        worker."""
        return self._reset(operations.release, job_id)

    @retry_on_lock
    def reset_error_images(self, job_id: int) -> int:
        """Make failed images pending, without their error; return their number. WrongState if the job is closed for
        good."""
        return self._reset(operations.retry, job_id)

    def _reset(self, act: Any, job_id: int) -> int:
        phase = _images_phase(job_id)
        if phase is None:
            return 0
        changed: int = act(phase.job, phase=phase.code, actor=Actor(name=self.worker)).changed
        self._changed.add(job_id)
        return changed

    # --- upload batches ------------------------------------------------------------------------------

    @retry_on_lock
    def create_batch(self, job_id: int, batch_number: int, image_count: int) -> int:
        """Add an upload batch to a job of images; return its id. ValueError for an unknown job or a number in use."""
        return uploads.create(job_id, uploads.new_batch(batch_number, image_count), worker=self.worker)

    def mark_batch_uploaded(self, batch_id: int) -> bool:
        """Count the batch as uploaded; KeyError for an unknown id."""
        return self._mark_batch(batch_id, ItemStatus.COMPLETED)

    def mark_batch_error(self, batch_id: int, error: object) -> bool:
        """Record why the upload failed; the batch is listed as pending. KeyError for an unknown id."""
        return self._mark_batch(batch_id, ItemStatus.FAILED, error=sentence(error))

    @retry_on_lock
    def _mark_batch(self, batch_id: int, status: ItemStatus, *, error: str = "") -> bool:
        items = marks.find(marks.batches(), [batch_id], kind="batch")
        return bool(marks.mark(items, status, error=error, worker=self.worker))

    @retry_on_lock
    def get_pending_batches(self, job_id: int) -> list[dict[str, Any]]:
        """Return the batches to upload, those in error too: id, batch_number, image_count, status, error."""
        return uploads.listed(job_id, uploaded=False)

    @retry_on_lock
    def get_uploaded_batches(self, job_id: int) -> list[dict[str, Any]]:
        """Return the uploaded batches, in the same shape."""
        return uploads.listed(job_id, uploaded=True)

    # --- closing -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the database connection of this thread; all marks are durable already. A later call opens a new one."""
        if not connection.in_atomic_block:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _images_phase(job_id: int) -> Phase | None:
    return Phase.objects.select_related("job").filter(job_id=job_id).order_by("position").first()


def _no_images() -> dict[str, int]:
    return {"total": 0, "completed": 0, "error": 0, "pending": 0, "processing": 0}
