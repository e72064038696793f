"""Worker for Progress Site that takes a folder of pictures through a whole training session.

    training_worker.py FOLDER --session NAME --url http://127.0.0.1:8000 --token SECRET --worker w1

It finds duplicates by perceptual hash, computes an embedding of every other picture, detects the faces in all pictures,
and clusters similar faces. Start any number of workers with the same folder, --session and --out: each one claims
different images, and one of them clusters. If you kill one, its images become pending again when their leases end, and
another worker clusters. It needs Python 3.11 or newer and requirements.txt.

The calls of a worker, in order:

    POST  /training                             create the session, or find it by its name
    POST  /training/7/images                    add images with their hashes, then mark the list as complete
    POST  /jobs/7/phases/training/claim         claim some images under a lease; later those of face_detection
    POST  /jobs/7/heartbeat                     renew the leases, from a thread
    POST  /jobs/7/phases/training/report        report the outcome of an image; "pending" gives it back
    PATCH /training/7/faces                     update the number of faces
    GET   /jobs/7                               nothing to claim: cluster now, stop, or wait for other workers?
    POST  /training/7/clustering                running, then completed with the number of clusters
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import images
import training_clustering
import training_faces
import training_images
from connection import Connection, GaveUp, Refused, worker_name
from training_claims import Claims, Work
from training_results import Lost, Results
from training_session import CLUSTERING, FACES, FINISHED, TRAINING, Body, Session, is_due, phase_of

log = logging.getLogger("worker")

IDLE_SECONDS = 1.0
UPDATE_SECONDS = 1.0
# Counting the faces of a long session is slow. The pause before the next count is this multiple of its duration.
UPDATE_PAUSE = 10


class Worker:
    """Worker process of one session."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.folder
        self.stop = Event()
        self.session = Session(Connection(options.url, token=options.token, stop=self.stop), options)
        self.claims = Claims(self.session, options)
        self.results = Results(options.out, session=self.session.id)
        self.detector = training_faces.Detector(min_confidence=options.min_confidence)
        self.last_revision = -1
        self.next_update_at = 0.0

    def run(self) -> None:
        """Work until the session has ended or the worker is stopped."""
        self.session.add_images(self.folder, stop=self.stop)
        self.claims.start()
        try:
            self.work()
        finally:
            self.claims.end()

    def work(self) -> None:
        """Claim, process and report images, then cluster, until the session has ended."""
        while not self.stop.is_set():
            works = self.claims.next()
            for work in works:
                if self.stop.is_set():
                    return
                if self.claims.holds(work):
                    self.process(work)
            if not works:
                if self.is_over():
                    return
                self.stop.wait(IDLE_SECONDS)

    def process(self, work: Work) -> None:
        """Process one image and report its outcome."""
        begun = time.monotonic()
        try:
            picture = training_images.read(images.inside(self.folder, work.key))
        except images.Unreadable as error:
            log.warning("%s failed for %s: %s", work.phase, work.key, error)
            phase = self.claims.report(work, status="failed", error=str(error))
        else:
            result = self.train(work, picture) if work.phase == TRAINING else self.detect(work, picture)
            self.stop.wait(max(0.0, begun + self.options.pace - time.monotonic()))
            phase = self.claims.report(work, status="completed", result=result)
        if work.phase == FACES and time.monotonic() >= self.next_update_at:
            self.update_faces(phase)

    def train(self, work: Work, picture: training_images.Pixels) -> Body:
        """Compute the embedding of one image."""
        kept = self.results.keep(TRAINING, work.item, training_images.embedding(picture))
        log.info("learnt %s", work.key)
        return {**kept, "width": picture.shape[1], "height": picture.shape[0]}

    def detect(self, work: Work, picture: training_images.Pixels) -> Body:
        """Detect the faces of one image."""
        faces = self.detector.faces(picture)
        descriptors = [training_faces.descriptor(picture, face) for face in faces]
        kept = self.results.keep(FACES, work.item, training_clustering.packed(faces, descriptors))
        log.info("found %d faces in %s", len(faces), work.key)
        return {**kept, "faces": len(faces)}

    def update_faces(self, phase: Body) -> None:
        """Update the number of faces. It is an absolute number, so it is counted over the images of all workers."""
        begun, batch = time.monotonic(), self.options.batch
        settled = phase["done"] + phase["failed"] + phase["skipped"]
        self.session.update_faces(
            faces_detected=sum(item["result"]["faces"] for item in self.session.items(FACES, status="completed")),
            current_asset_index=settled,
            current_batch=-(-settled // batch),
            total_batches=-(-phase["expected"] // batch),
            batch_size=batch,
            min_confidence=self.options.min_confidence,
        )
        self.next_update_at = time.monotonic() + max(UPDATE_SECONDS, UPDATE_PAUSE * (time.monotonic() - begun))

    def is_over(self) -> bool:
        """Cluster if it is time, and check whether the session has ended. With --stay, wait for restarts."""
        job = self.session.job_body()
        if is_due(job, CLUSTERING):
            self.cluster()
            job = self.session.job_body()
        if job["revision"] != self.last_revision:
            self.last_revision = job["revision"]
            log.info("nothing to do, %s %s at %s %%: %s", job["name"], job["status"], job["percent"], job["stage"])
        return job["status"] in FINISHED and not self.options.stay

    def cluster(self) -> None:
        """Cluster the faces, unless another process does. A second run is harmless: its result is the same."""
        with self.results.exclusive() as mine:
            job = self.session.job_body()
            if not mine or not is_due(job, CLUSTERING) or not self.session.update_clustering("running"):
                return
            self.update_faces(phase_of(job, FACES))
            try:
                outcome = training_clustering.cluster(self.session, self.results)
            except (Lost, OSError, ValueError) as error:
                log.warning("clustering failed: %s", error)
                self.session.update_clustering("failed", error=str(error))
            else:
                self.report_clusters(outcome)

    def report_clusters(self, outcome: training_clustering.Outcome) -> None:
        """Report the clusters, which ends the session."""
        self.session.update_faces(faces_assigned=outcome.assigned)
        self.session.update_clustering(
            "completed", current=outcome.faces, total=outcome.faces, clusters_created=outcome.clusters
        )
        log.info("%d faces in %d clusters: %s", outcome.faces, outcome.clusters, self.results.folder)


def options() -> argparse.Namespace:
    """Parse the options; the environment has the defaults."""
    parser = argparse.ArgumentParser(description="Take a folder of pictures through a training session.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--session", required=True, help="session name; workers with the same session share the work")
    parser.add_argument("--project", default="", help="project of the session (default: none)")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--worker", default=worker_name(), help="a unique worker name")
    parser.add_argument("--batch", type=int, default=8, help="images to claim at once (default: 8)")
    parser.add_argument("--lease", type=int, default=30, help="lease in seconds (default: 30)")
    parser.add_argument("--pace", type=float, default=0.0, help="minimum seconds for an image, for demonstrations")
    parser.add_argument(
        "--min-confidence", type=float, default=0.5, help="minimum confidence of a face, 0-1 (default: 0.5)"
    )
    parser.add_argument("--out", type=Path, default=Path("training"), help="the folder of results (default: training)")
    parser.add_argument("--stay", action="store_true", help="wait for restarts after the session has ended")
    return checked(parser, parser.parse_args())


def checked(parser: argparse.ArgumentParser, given: argparse.Namespace) -> argparse.Namespace:
    """Validate the options."""
    if not given.token:
        parser.error("a token is required: set --token or PROGRESS_TOKEN")
    if not images.find(given.folder):
        parser.error(f"there are no pictures in {given.folder}")
    if not 0 <= given.min_confidence <= 1:
        parser.error("--min-confidence must be 0-1")
    if given.batch < 1:
        parser.error("--batch must be at least 1")
    if given.lease < 1:
        parser.error("--lease must be at least 1")
    return given


def main() -> None:
    """Run the command. SIGTERM and Ctrl-C end it after the current image; a second one ends it at once."""
    given = options()
    name = given.worker
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=f"%(asctime)s {name} %(message)s", datefmt="%X")
    cv2.setNumThreads(1)
    try:
        worker = Worker(given)

        def end(number: int, frame: Any) -> None:
            worker.stop.set()
            signal.signal(number, signal.SIG_DFL)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        worker.run()
    except (Refused, GaveUp, OSError) as error:
        raise SystemExit(f"{name}: {error}") from error


if __name__ == "__main__":
    main()
