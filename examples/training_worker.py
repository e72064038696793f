"""A worker of Progress Site: it takes a folder of pictures through a whole training session.

    training_worker.py FOLDER --session NAME --url http://127.0.0.1:8000 --token SECRET --worker w1

It finds duplicates by their perceptual hashes, computes an embedding of every picture that is none, finds the faces in
all of them, and puts together the faces that look alike. Start as many as you like over the same folder with the same
--session and --out: each one takes other images, and one of them clusters. Kill one, and its images come back when
their lease ends; where it was clustering, another one does that. Python 3.11 and requirements.txt are needed.

A worker's day, in the order of the calls:

    POST  /training                             the session by its name: whoever is second finds it
    POST  /training/7/images                    its images with their hashes, then that no more will come
    POST  /jobs/7/phases/training/claim         some images, mine until their lease ends; then of face_detection
    POST  /jobs/7/heartbeat                     from a thread: still here, keep these images for me
    POST  /jobs/7/phases/training/report        what became of an image; "pending" gives it back
    PATCH /training/7/faces                     how many faces there are by now
    GET   /jobs/7                               nothing to claim: is it time to cluster, is all over, or do others work?
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
TELL_SECONDS = 1.0
# Counting the faces of a long session takes a while; this many times as long passes before the next count.
TELL_PAUSE = 10


class Worker:
    """One process that works on one session."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.folder
        self.stop = Event()
        self.session = Session(Connection(options.url, token=options.token, stop=self.stop), options)
        self.claims = Claims(self.session, options)
        self.results = Results(options.out, session=self.session.id)
        self.detector = training_faces.Detector(min_confidence=options.min_confidence)
        self.seen = -1
        self.tell_from = 0.0

    def run(self) -> None:
        """Work until the session is over or somebody stops this worker."""
        self.session.add_images(self.folder, stop=self.stop)
        self.claims.start()
        try:
            self.work()
        finally:
            self.claims.end()

    def work(self) -> None:
        """Claim, process, report, and cluster in the end, until there is nothing more to come."""
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
        """Do the work of one image and report what became of it."""
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
        if work.phase == FACES and time.monotonic() >= self.tell_from:
            self.tell_faces(phase)

    def train(self, work: Work, picture: training_images.Pixels) -> Body:
        """The embedding of one image."""
        kept = self.results.keep(TRAINING, work.item, training_images.embedding(picture))
        log.info("learnt %s", work.key)
        return {**kept, "width": picture.shape[1], "height": picture.shape[0]}

    def detect(self, work: Work, picture: training_images.Pixels) -> Body:
        """The faces of one image."""
        faces = self.detector.faces(picture)
        descriptors = [training_faces.descriptor(picture, face) for face in faces]
        kept = self.results.keep(FACES, work.item, training_clustering.packed(faces, descriptors))
        log.info("found %d faces in %s", len(faces), work.key)
        return {**kept, "faces": len(faces)}

    def tell_faces(self, phase: Body) -> None:
        """Tell how many faces all workers have found; what is told is absolute, so it is counted over all images."""
        begun, batch = time.monotonic(), self.options.batch
        settled = phase["done"] + phase["failed"] + phase["skipped"]
        self.session.tell_faces(
            faces_detected=sum(item["result"]["faces"] for item in self.session.items(FACES, status="completed")),
            current_asset_index=settled,
            current_batch=-(-settled // batch),
            total_batches=-(-phase["expected"] // batch),
            batch_size=batch,
            min_confidence=self.options.min_confidence,
        )
        self.tell_from = time.monotonic() + max(TELL_SECONDS, TELL_PAUSE * (time.monotonic() - begun))

    def is_over(self) -> bool:
        """Is the session finished, or is it time to cluster? With --stay go on: an operator may restart a part."""
        job = self.session.look()
        if is_due(job, CLUSTERING):
            self.cluster()
            job = self.session.look()
        if job["revision"] != self.seen:
            self.seen = job["revision"]
            log.info("nothing to do, %s %s at %s %%: %s", job["name"], job["status"], job["percent"], job["stage"])
        return job["status"] in FINISHED and not self.options.stay

    def cluster(self) -> None:
        """Cluster the faces, unless another process does. It may be done twice: both find and tell the same."""
        with self.results.alone() as mine:
            job = self.session.look()
            if not mine or not is_due(job, CLUSTERING) or not self.session.tell_clustering("running"):
                return
            self.tell_faces(phase_of(job, FACES))
            try:
                outcome = training_clustering.cluster(self.session, self.results)
            except (Lost, OSError, ValueError) as error:
                log.warning("clustering failed: %s", error)
                self.session.tell_clustering("failed", error=str(error))
            else:
                self.tell_clusters(outcome)

    def tell_clusters(self, outcome: training_clustering.Outcome) -> None:
        """The end of the session."""
        self.session.tell_faces(faces_assigned=outcome.assigned)
        self.session.tell_clustering(
            "completed", current=outcome.faces, total=outcome.faces, clusters_created=outcome.clusters
        )
        log.info("%d faces in %d clusters: %s", outcome.faces, outcome.clusters, self.results.folder)


def options() -> argparse.Namespace:
    """What the command line and the environment say."""
    parser = argparse.ArgumentParser(description="Take a folder of pictures through a training session.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--session", required=True, help="the session's name; workers with the same name share it")
    parser.add_argument("--project", default="", help="whose session it is (default: nobody's)")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--worker", default=worker_name(), help="a name that no other worker has")
    parser.add_argument("--batch", type=int, default=8, help="images to claim at once (default: 8)")
    parser.add_argument("--lease", type=int, default=30, help="seconds until they come back if it dies (default: 30)")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds for an image at least, so that one can watch")
    parser.add_argument("--min-confidence", type=float, default=0.5, help="how sure of a face, 0-1 (default: 0.5)")
    parser.add_argument("--out", type=Path, default=Path("training"), help="the folder of results (default: training)")
    parser.add_argument("--stay", action="store_true", help="wait for restarts after the session is finished")
    return checked(parser, parser.parse_args())


def checked(parser: argparse.ArgumentParser, given: argparse.Namespace) -> argparse.Namespace:
    """The options, unless they are senseless."""
    if not given.token:
        parser.error("a token is needed: --token or PROGRESS_TOKEN")
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
    """The command. SIGTERM and Ctrl-C end it after the image in hand; a second one ends it at once."""
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
