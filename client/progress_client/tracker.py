"""The API of the SQLite image tracker, over REST. docs/migrating.md has an example."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, overload

from progress_client import forks, tracker_formats
from progress_client.client import Client
from progress_client.errors import NotFound
from progress_client.items import clean_sentence
from progress_client.job import Job
from progress_client.tracker_formats import ITEM_STATUS_OF, STATUS_OF, Image, ImagePath, Status, new_images

log = logging.getLogger(__name__)

UPLOAD = "upload"
TAKEN = ("applied", "duplicate")
AT_ONCE = 1000
# Less than the server's default lease, so that a shorter default is renewed in time too.
LEASE_SECONDS = 30.0


class ProgressTracker(forks.Unpicklable):
    """Tracker of images that any number of processes and machines work on.

    Every mark is durable when the call returns. An image marked as processing is leased to this tracker, and the lease
    is renewed until the image is marked again. If this process dies, the image becomes pending when the lease ends.
    Image ids must belong to jobs that this tracker has created or read. Threads and forked children may share a
    tracker; each is a worker of its own.

    `reset_stuck_images` and `reset_error_images` are operator acts: without the role operator they raise NotPermitted.
    """

    instead = "create a ProgressTracker there"

    def __init__(
        self, url: str | None = None, token: str | None = None, *, worker: str = "", db_path: ImagePath | None = None
    ) -> None:
        """Connect to a site. `db_path` is accepted for compatibility with old scripts and not used."""
        name = worker[:100] or f"{socket.gethostname()[:80]}-{token_hex(4)}"
        self._thread = threading.get_ident()
        self._client = Client(url, token=token, worker=name, journal=None)
        self._session = self._client._session
        self._checkpoints: dict[int, dict[str, int]] = {}
        self._changed: set[int] = set()
        self._opened: dict[int, Job] = {}
        self._known: dict[int, Image] = {}
        forks.renew(self)

    @property
    def worker(self) -> str:
        """The worker name of the calling thread."""
        thread = threading.get_ident()
        return self._session.worker if thread == self._thread else f"{self._session.worker}.{thread}"

    # --- jobs ------------------------------------------------------------------------------------

    def create_job(
        self, name: str, image_paths: Sequence[ImagePath], splits: Sequence[str] | None = None, **options: Any
    ) -> int:
        """Create a job, or find the job of this name and add new paths; return its id.

        New images start a new run of a finished job. ValueError if there are fewer splits than paths. `options` are
        those of `Client.job`, such as `retries` (here 0 by default), `due_at` or `priority`.
        """
        job = self._client.job(name, items=new_images(image_paths, splits), reopen=True, **{"retries": 0, **options})
        self._opened[job.id] = job
        self.checkpoint(job.id)
        return job.id

    def get_job_id(self, name: str) -> int | None:
        """Return the id of the job of this name, or None."""
        job = self._client.find(name)
        return self._opened.setdefault(job.id, job).id if job else None

    # --- images ----------------------------------------------------------------------------------

    def get_pending_images(self, job_id: int, limit: int = 100) -> list[tuple[int, Path, str]]:
        """Return up to `limit` (at most 10,000) pending images in their order: (id, path, split).

        `mark_processing` claims them: another worker may get the same. An image that waits for its retry is left out.
        """
        job = self._job(job_id)
        rows = tracker_formats.first_due(job.items(status="pending") if job else (), limit)
        for row in rows:
            self._know(row, job=job_id, phase=job.first_phase if job else "")
        return [tracker_formats.pending_row(row) for row in rows]

    @overload
    def mark_processing(self, image_ids: int) -> bool: ...
    @overload
    def mark_processing(self, image_ids: Sequence[int]) -> list[int]: ...
    def mark_processing(self, image_ids: int | Sequence[int]) -> bool | list[int]:
        """Claim pending images; return the ids that this worker now holds. For one id, return True or False."""
        if isinstance(image_ids, int):
            return bool(self.mark_many([image_ids], Status.PROCESSING))
        return self.mark_many(image_ids, Status.PROCESSING)

    def mark_completed(self, image_id: int) -> bool:
        """Count the image as done; True also if it was done before. False if its job accepts no reports."""
        return bool(self.mark_many([image_id], Status.COMPLETED))

    def mark_error(self, image_id: int, error: object) -> bool:
        """Count the image as failed, with at most 500 characters of the error. False if it is already done."""
        return bool(self.mark_many([image_id], Status.ERROR, error=error))

    def mark_many(self, image_ids: Sequence[int], status: Status | str, *, error: object = "") -> list[int]:
        """Mark many images in a few requests; return the ids whose mark was accepted.

        KeyError for an unknown id and ValueError for an unknown status; in both cases nothing is marked.
        """
        item_status = ITEM_STATUS_OF[Status(status)]
        images = self._images(image_ids, what="image")
        self._changed.update(image.job for image in images)
        return self._mark(images, item_status, error=str(error))

    # --- figures ---------------------------------------------------------------------------------

    def checkpoint(self, job_id: int | None = None) -> None:
        """Store the current counts for `get_progress`: of one job, or of all jobs that this tracker has changed."""
        for chosen in [job_id] if job_id is not None else sorted(self._changed):
            job = self._job(chosen)
            if job:
                self._checkpoints[chosen] = tracker_formats.figures(job.progress(phase=job.first_phase))
            self._changed.discard(chosen)

    def get_progress(self, job_id: int) -> dict[str, Any]:
        """Return the counts of the last checkpoint and the current status of a job; {} for an unknown job.

        Creating a job counts as a checkpoint. Checkpoints belong to this tracker. Without one, the checkpoint on the
        server is used, else the live counts, which then become the checkpoint.
        """
        job = self._job(job_id, again=True)
        if job is None:
            return {}
        stored = self._checkpoints.get(job_id) or job.body["metadata"].get("checkpoint")
        if not stored:
            self.checkpoint(job_id)
            stored = self._checkpoints[job_id]
        return tracker_formats.progress(job.body, stored)

    def get_progress_by_split(self, job_id: int) -> dict[str, dict[str, int]]:
        """Return the live counts of each split; train, valid and test are always present."""
        job = self._job(job_id)
        return tracker_formats.by_split(job.progress(phase=job.first_phase)["by_split"] if job else {})

    # --- recovery --------------------------------------------------------------------------------

    def reset_stuck_images(self, job_id: int) -> int:
        """Make this tracker's images, and all images without a valid lease, pending again; return their number.

        Images leased to other workers stay theirs; the lease of a dead worker expires. Needs the role operator.
        """
        job = self._job(job_id)
        if job is None:
            return 0
        freed = int(job.release(phase=job.first_phase)["changed"])
        held = [image for image in self._known.values() if image.job == job_id and image.worker]
        return freed + len(self._mark(held, "pending"))

    def reset_error_images(self, job_id: int) -> int:
        """Make failed images pending and clear their errors; return their number. Needs the role operator."""
        job = self._job(job_id)
        self._changed.add(job_id)
        return int(job.retry(phase=job.first_phase)["changed"]) if job else 0

    # --- upload batches ----------------------------------------------------------------------------

    def create_batch(self, job_id: int, batch_number: int, image_count: int) -> int:
        """Add an upload batch to a job; return its id. ValueError for an unknown job or a number that exists."""
        # If two processes create the same number at once, `made_by` shows one of them that it lost.
        batch, job = tracker_formats.new_batch(batch_number, image_count, made_by=token_hex(8)), self._job(job_id)
        if job is None:
            raise ValueError(f"There is no job {job_id}.")
        phase = {"code": UPLOAD, "label": "Upload", "stage": "Uploading batch {done}/{expected}"}
        uploads = self._client.job(
            f"{job.name}/{UPLOAD}", phases=[phase], retries=0, project=job.body["project"], items=[batch], reopen=True
        )
        [row] = [row for row in uploads.items(q=batch["key"]) if row["key"] == batch["key"]]
        if row["payload"] != batch["payload"]:
            raise ValueError(f"Job {job.name} already has batch {batch_number}; give each batch its own number.")
        return self._know(row, job=uploads.id, phase=UPLOAD).id

    def mark_batch_uploaded(self, batch_id: int) -> bool:
        """Count the batch as uploaded; KeyError for an unknown id."""
        return bool(self._mark(self._images([batch_id], what="batch"), "completed"))

    def mark_batch_error(self, batch_id: int, error: object) -> bool:
        """Store the error of a failed upload; the batch stays pending. KeyError for an unknown id."""
        return bool(self._mark(self._images([batch_id], what="batch"), "failed", error=str(error)))

    def get_pending_batches(self, job_id: int) -> list[dict[str, Any]]:
        """Return the batches to upload, with failed ones: id, batch_number, image_count, status, error."""
        return [row for row in self._batches(job_id) if row["status"] != Status.COMPLETED]

    def get_uploaded_batches(self, job_id: int) -> list[dict[str, Any]]:
        """Return the uploaded batches, in the same shape."""
        return [row for row in self._batches(job_id) if row["status"] == Status.COMPLETED]

    # --- shutdown --------------------------------------------------------------------------------

    def close(self) -> None:
        """Give back images in processing. Marks are already durable."""
        if not self._session.stop.is_set():
            self._mark([image for image in self._known.values() if image.worker], "pending")
        self._client.close()

    def __enter__(self) -> ProgressTracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- private ---------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        """Reset in a forked child: the parent keeps its leases, and the child is a worker of its own."""
        self._thread = threading.get_ident()
        for image in self._known.values():
            image.worker = ""

    def _job(self, job_id: int, *, again: bool = False) -> Job | None:
        with suppress(NotFound):
            if job_id in self._opened:
                return self._opened[job_id].refresh() if again else self._opened[job_id]
            self._opened[job_id] = self._client.open(job_id)
            return self._opened[job_id]
        return None

    def _batches(self, job_id: int) -> list[dict[str, Any]]:
        job = self._job(job_id)
        uploads = self._client.find(f"{job.name}/{UPLOAD}") if job else None
        rows = list(uploads.items(phase=UPLOAD)) if uploads else []
        for row in rows:
            self._know(row, job=uploads.id if uploads else 0, phase=UPLOAD)
        return [tracker_formats.batch_row(row) for row in rows]

    def _know(self, row: Mapping[str, Any], *, job: int, phase: str) -> Image:
        return self._known.setdefault(row["id"], Image(row["id"], row["key"], job, phase))

    def _images(self, image_ids: Sequence[int], *, what: str) -> list[Image]:
        """Find images or batches by id, each once; KeyError for an id of no known job."""
        wanted = list(dict.fromkeys(image_ids))
        self._look_for({image_id for image_id in wanted if image_id not in self._known})
        for image_id in wanted:
            image = self._known.get(image_id)
            if image is None or (image.phase == UPLOAD) != (what == "batch"):
                raise KeyError(f"There is no {what} {image_id} in the jobs that this tracker has opened.")
        return [self._known[image_id] for image_id in wanted]

    def _look_for(self, missing: set[int]) -> None:
        """List the items of the known jobs until every missing image is found."""
        for job in list(self._opened.values()) if missing else ():
            uploads = self._client.find(f"{job.name}/{UPLOAD}")
            for place in [job, uploads] if uploads else [job]:
                for row in place.items():
                    self._know(row, job=place.id, phase=place.first_phase)
                    missing.discard(row["id"])
                    if not missing:
                        return

    def _mark(self, images: Sequence[Image], item_status: str, *, error: str = "") -> list[int]:
        taken: list[int] = []
        for job, phase, worker in dict.fromkeys((i.job, i.phase, self._reporter(i, item_status)) for i in images):
            own = [i for i in images if (i.job, i.phase, self._reporter(i, item_status)) == (job, phase, worker)]
            for start in range(0, len(own), AT_ONCE):
                taken += self._report(own[start : start + AT_ONCE], item_status, worker=worker, error=error)
        return taken

    def _reporter(self, image: Image, item_status: str) -> str:
        """Return the worker name of a report: only the lease holder can give an image back."""
        return image.worker if item_status == "pending" else self.worker

    def _report(self, own: Sequence[Image], item_status: str, *, worker: str, error: str) -> list[int]:
        fields = {"error": clean_sentence(error)} if item_status == "failed" else {}
        body = {"worker": worker, "results": [{"key": image.key, "status": item_status, **fields} for image in own]}
        answer = self._session.call("POST", f"/jobs/{own[0].job}/phases/{own[0].phase}/report", body)
        taken = []
        for image, result in zip(own, answer["results"]):
            if result["outcome"] in TAKEN:
                taken.append(image.id)
            else:
                log.info("image %d is not %s: %s", image.id, STATUS_OF[item_status].value, result.get("detail", ""))
            self._set_lease(image, worker if item_status == "processing" and result["outcome"] in TAKEN else "")
        return taken

    def _set_lease(self, image: Image, worker: str) -> None:
        if image.worker:
            self._session.lease_renewer.drop(image)
        image.worker, image.lost = worker, False
        if worker:
            self._session.lease_renewer.take([image], lease=LEASE_SECONDS)
