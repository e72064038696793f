"""The public API of an old SQLite image tracker, over REST. docs/migrating.md has an example."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, overload

from progress_client import forks, tracker_formats
from progress_client.client import Client
from progress_client.errors import NotFound
from progress_client.items import sayable
from progress_client.job import Job
from progress_client.tracker_formats import STATUS_OF, WORD_OF, Image, ImagePath, Status

log = logging.getLogger(__name__)

UPLOAD = "upload"
TAKEN = ("applied", "duplicate")
AT_ONCE = 1000
# Less than the server's default, so that a shorter one is kept as well.
RENEWED_AS = 30.0


class ProgressTracker(forks.Unpicklable):
    """Tracks images that are processed one by one, over any number of processes and machines.

    Every mark is durable when the call returns. A marked image is ours under a lease that is renewed until it is marked
    again; if this process dies it is pending again after a while. An image is named by its id: those of jobs that this
    tracker has created or asked about are known to it. Threads and forked
    children may share a tracker, each counts as a worker of its own.

    `reset_stuck_images` and `reset_error_images` are acts of operators: the account of the token must be an operator as
    well as a worker (`token create NAME --role worker --role operator`). Else NotPermitted has the server's sentence.
    """

    instead = "create a ProgressTracker there"

    def __init__(
        self, url: str | None = None, token: str | None = None, *, worker: str = "", db_path: ImagePath | None = None
    ) -> None:
        """`db_path` is taken for the sake of old scripts and not used."""
        name = worker[:100] or f"{socket.gethostname()[:80]}-{token_hex(4)}"
        self._thread = threading.get_ident()
        self._client = Client(url, token=token, worker=name, journal=None)
        self._core = self._client._core
        self._kept: dict[int, dict[str, int]] = {}
        self._changed: set[int] = set()
        self._opened: dict[int, Job] = {}
        self._known: dict[int, Image] = {}
        forks.renew(self)

    @property
    def worker(self) -> str:
        """Who holds what the calling thread marks."""
        thread = threading.get_ident()
        return self._core.worker if thread == self._thread else f"{self._core.worker}.{thread}"

    # --- jobs ------------------------------------------------------------------------------------

    def create_job(self, name: str, image_paths: Sequence[ImagePath], splits: Sequence[str] | None = None) -> int:
        """Create the job, or find the one of this name and add the paths that it lacks; its id.

        New images begin a new run of a finished job. ValueError where there are fewer splits than paths.
        """
        job = self._client.job(name, items=tracker_formats.new_images(image_paths, splits), reopen=True)
        self._opened[job.id] = job
        self.checkpoint(job.id)
        return job.id

    def get_job_id(self, name: str) -> int | None:
        """The id of the job of this name, or None."""
        job = self._client.find(name)
        return self._opened.setdefault(job.id, job).id if job else None

    # --- images ----------------------------------------------------------------------------------

    def get_pending_images(self, job_id: int, limit: int = 100) -> list[tuple[int, Path, str]]:
        """Up to `limit` (at most 10,000) pending images in their order: (id, path, split). Nothing is claimed.

        Another worker may get the same ones; `mark_processing` says whose each is.
        """
        most, job = tracker_formats.pending_limit(limit), self._job(job_id)
        rows = list(islice(job.items(status="pending"), most)) if job else []
        for row in rows:
            self._know(row, job=job_id, phase=job.first_phase if job else "")
        return [tracker_formats.pending_row(row) for row in rows]

    @overload
    def mark_processing(self, image_ids: int) -> bool: ...
    @overload
    def mark_processing(self, image_ids: Sequence[int]) -> list[int]: ...
    def mark_processing(self, image_ids: int | Sequence[int]) -> bool | list[int]:
        """Take pending images; the ids of those that are ours now. For one id: whether it is ours."""
        if isinstance(image_ids, int):
            return bool(self.mark_many([image_ids], Status.PROCESSING))
        return self.mark_many(image_ids, Status.PROCESSING)

    def mark_completed(self, image_id: int) -> bool:
        """Count the image as done; True also when it was done before. False where its job takes no reports."""
        return bool(self.mark_many([image_id], Status.COMPLETED))

    def mark_error(self, image_id: int, error: object) -> bool:
        """Count the image as failed, with at most 500 characters of the error. False where it is done already."""
        return bool(self.mark_many([image_id], Status.ERROR, error=error))

    def mark_many(self, image_ids: Sequence[int], status: Status | str, *, error: object = "") -> list[int]:
        """Mark many images in a few calls; the ids of those that are in this status now (and ours).

        KeyError for an unknown id, and ValueError for an unknown status; nothing is marked then.
        """
        word = WORD_OF[Status(status)]
        found = self._images(image_ids, what="image")
        self._changed.update(image.job for image in found)
        return self._mark(found, word, error=str(error))

    # --- figures ---------------------------------------------------------------------------------

    def checkpoint(self, job_id: int | None = None) -> None:
        """Keep the figures of this moment for `get_progress`: of one job, or of all that this tracker has changed."""
        for chosen in [job_id] if job_id is not None else sorted(self._changed):
            job = self._job(chosen)
            if job:
                self._kept[chosen] = tracker_formats.figures(job.progress(phase=job.first_phase))
            self._changed.discard(chosen)

    def get_progress(self, job_id: int) -> dict[str, Any]:
        """The figures of the last checkpoint (creating counts as one) and the status of now; {} if unknown.

        Checkpoints are this tracker's. A job that it has taken none of shows the one that the server keeps, or else
        the live figures, which are its checkpoint from then on.
        """
        job = self._job(job_id, again=True)
        if job is None:
            return {}
        kept = self._kept.get(job_id) or job.body["metadata"].get("checkpoint")
        if not kept:
            self.checkpoint(job_id)
            kept = self._kept[job_id]
        return tracker_formats.progress(job.body, kept)

    def get_progress_by_split(self, job_id: int) -> dict[str, dict[str, int]]:
        """The live counts of each split; train, valid and test are always there, others as the images have them."""
        job = self._job(job_id)
        return tracker_formats.by_split(job.progress(phase=job.first_phase)["by_split"] if job else {})

    # --- going on after a fault ------------------------------------------------------------------

    def reset_stuck_images(self, job_id: int) -> int:
        """Images that this tracker holds, and those that somebody held without a live lease, are pending; how many.

        What others hold under a lease stays theirs, and comes back by itself if they are dead. Needs the role operator.
        """
        job = self._job(job_id)
        if job is None:
            return 0
        freed = int(job.release(phase=job.first_phase)["changed"])
        held = [image for image in self._known.values() if image.job == job_id and image.worker]
        return freed + len(self._mark(held, "pending"))

    def reset_error_images(self, job_id: int) -> int:
        """Failed images become pending, without their error; how many. Needs the role operator."""
        job = self._job(job_id)
        self._changed.add(job_id)
        return int(job.retry(phase=job.first_phase)["changed"]) if job else 0

    # --- upload batches ----------------------------------------------------------------------------

    def create_batch(self, job_id: int, batch_number: int, image_count: int) -> int:
        """Add an upload batch to a job of images; its id. ValueError on an unknown job or a number that it has."""
        # Of two that create the same number at the same moment one finds the other's mark.
        batch, job = tracker_formats.new_batch(batch_number, image_count, made_by=token_hex(8)), self._job(job_id)
        if job is None:
            raise ValueError(f"There is no job {job_id}.")
        phase = {"code": UPLOAD, "label": "Upload", "stage": "Uploading batch {done}/{expected}"}
        uploads = self._client.job(
            f"{job.name}/{UPLOAD}", phases=[phase], project=job.body["project"], items=[batch], reopen=True
        )
        [row] = [row for row in uploads.items(q=batch["key"]) if row["key"] == batch["key"]]
        if row["payload"] != batch["payload"]:
            raise ValueError(f"Job {job.name} has a batch {batch_number} already; give each batch a number of its own.")
        return self._know(row, job=uploads.id, phase=UPLOAD).id

    def mark_batch_uploaded(self, batch_id: int) -> bool:
        """Count the batch as uploaded; KeyError for an unknown id."""
        return bool(self._mark(self._images([batch_id], what="batch"), "completed"))

    def mark_batch_error(self, batch_id: int, error: object) -> bool:
        """Keep why the upload failed; the batch is listed as pending. KeyError for an unknown id."""
        return bool(self._mark(self._images([batch_id], what="batch"), "failed", error=str(error)))

    def get_pending_batches(self, job_id: int) -> list[dict[str, Any]]:
        """The batches to upload, those in error too: id, batch_number, image_count, status, error."""
        return [row for row in self._batches(job_id) if row["status"] != Status.COMPLETED]

    def get_uploaded_batches(self, job_id: int) -> list[dict[str, Any]]:
        """The uploaded batches, in the same shape."""
        return [row for row in self._batches(job_id) if row["status"] == Status.COMPLETED]

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Give back what is still being processed. Nothing waits to be written."""
        if not self._core.stop.is_set():
            self._mark([image for image in self._known.values() if image.worker], "pending")
        self._client.close()

    def __enter__(self) -> ProgressTracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- the parts -------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        """The parent holds what it has marked; a forked child holds nothing yet, under a name of its own."""
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

    def _know(self, row: dict[str, Any], *, job: int, phase: str) -> Image:
        return self._known.setdefault(row["id"], Image(row["id"], row["key"], job, phase))

    def _images(self, image_ids: Sequence[int], *, what: str) -> list[Image]:
        """The images or batches of these ids, each once; KeyError where no job that this tracker knows has one."""
        wanted = list(dict.fromkeys(image_ids))
        self._look_for({image_id for image_id in wanted if image_id not in self._known})
        for image_id in wanted:
            image = self._known.get(image_id)
            if image is None or (image.phase == UPLOAD) != (what == "batch"):
                raise KeyError(f"There is no {what} {image_id} in the jobs that this tracker has opened.")
        return [self._known[image_id] for image_id in wanted]

    def _look_for(self, missing: set[int]) -> None:
        """Go through the jobs once, until every image is known."""
        for job in list(self._opened.values()) if missing else ():
            uploads = self._client.find(f"{job.name}/{UPLOAD}")
            for place in [job, uploads] if uploads else [job]:
                for row in place.items():
                    self._know(row, job=place.id, phase=place.first_phase)
                    missing.discard(row["id"])
                    if not missing:
                        return

    def _mark(self, found: Sequence[Image], word: str, *, error: str = "") -> list[int]:
        taken: list[int] = []
        for job, phase, worker in dict.fromkeys((i.job, i.phase, self._as(i, word)) for i in found):
            own = [i for i in found if (i.job, i.phase, self._as(i, word)) == (job, phase, worker)]
            for start in range(0, len(own), AT_ONCE):
                taken += self._report(own[start : start + AT_ONCE], word, worker=worker, error=error)
        return taken

    def _as(self, image: Image, word: str) -> str:
        """Who reports: an image can be given back only in the name of its holder."""
        return image.worker if word == "pending" else self.worker

    def _report(self, own: Sequence[Image], word: str, *, worker: str, error: str) -> list[int]:
        said = {"error": sayable(error)} if word == "failed" else {}
        body = {"worker": worker, "results": [{"key": image.key, "status": word, **said} for image in own]}
        answer = self._core.call("POST", f"/jobs/{own[0].job}/phases/{own[0].phase}/report", body)
        taken = []
        for image, result in zip(own, answer["results"]):
            if result["outcome"] in TAKEN:
                taken.append(image.id)
            else:
                log.info("image %d is not %s: %s", image.id, STATUS_OF[word].value, result.get("detail", ""))
            self._hold(image, worker if word == "processing" and result["outcome"] in TAKEN else "")
        return taken

    def _hold(self, image: Image, worker: str) -> None:
        """Renew the lease of an image from now on, or no longer."""
        if image.worker:
            self._core.keeper.drop(image)
        image.worker, image.lost = worker, False
        if worker:
            self._core.keeper.take([image], lease=RENEWED_AS)
