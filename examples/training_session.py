"""Client of a training session: its images, its three phases and their updates."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import images
import training_images
from connection import Connection, Refused

log = logging.getLogger("worker")

TRAINING, FACES, CLUSTERING = "training", "face_detection", "clustering"
CLAIMED = (TRAINING, FACES)
FINISHED = ("completed", "failed", "cancelled")
LISTED_AT_ONCE = 50
# An image that is being copied, or lies on a busy disk, can be read a little later.
RETRIES = {"retries": 2, "retry_delay": 1}

Body = dict[str, Any]


class Session:
    """One session of the site, created or found by its name."""

    def __init__(self, server: Connection, options: argparse.Namespace) -> None:
        self.server = server
        body = {"name": options.session, "project": options.project, **RETRIES}
        self.id = int(server.post("/training", body)["id"])
        self.address, self.job = f"/training/{self.id}", f"/jobs/{self.id}"

    def add_images(self, folder: Path, *, stop: Event) -> None:
        """Add the new images of the folder, the oldest first, so that copies become its duplicates.

        A later worker finds all images listed and reads none. Two workers that start at once compute the same hashes.
        """
        known = {item["key"]: item["payload"].get("hash", "") for item in self.items(TRAINING)}
        names = [name for name in by_age(folder, images.find(folder)) if name not in known]
        hashes = training_images.KnownHashes(found for found in known.values() if found)
        log.info("session %d: %d images, of which %d are new", self.id, len(known) + len(names), len(names))
        for start in range(0, len(names), LISTED_AT_ONCE):
            if stop.is_set():
                return
            batch = names[start : start + LISTED_AT_ONCE]
            self._add_images([described(folder, name, hashes=hashes) for name in batch], complete=False)
        self._add_images([], complete=True)

    def _add_images(self, rows: Sequence[Body], *, complete: bool) -> None:
        try:
            self.server.post(f"{self.address}/images", {"images": rows, "complete": complete})
        except Refused as error:
            log.warning("images were not added: %s", error)

    def items(self, phase: str, *, status: str = "") -> Iterator[Body]:
        """Iterate over the items of a phase, one request per page."""
        query = f"limit=200&status={status}" if status else "limit=200"
        while query:
            page = self.server.get(f"{self.job}/phases/{phase}/items?{query}")
            yield from page["results"]
            query = urlsplit(page["next"] or "").query

    def job_body(self) -> Body:
        """Fetch the job."""
        return dict(self.server.get(self.job))

    def update_faces(self, **values: int | float) -> None:
        """Update the absolute counts of face detection."""
        self._update("PATCH", "faces", values)

    def update_clustering(self, status: str, **values: int | str) -> bool:
        """Update the status of clustering; False if the site rejects it, as after a cancel."""
        return self._update("POST", "clustering", {"status": status, **values})

    def _update(self, method: str, what: str, body: Body) -> bool:
        send = self.server.patch if method == "PATCH" else self.server.post
        try:
            send(f"{self.address}/{what}", body)
        except Refused as error:
            log.warning("%s not updated: %s", what, error)
            return False
        return True


def is_due(job: Body, phase: str) -> bool:
    """Check that a phase is unfinished and all earlier phases are completed."""
    if job["status"] in ("paused", "cancelled"):
        return False
    this = phase_of(job, phase)
    earlier = [one["status"] for one in job["phases"] if one["position"] < this["position"]]
    return this["status"] in ("pending", "processing") and set(earlier) <= {"completed"}


def phase_of(job: Body, code: str) -> Body:
    """Return the phase of this code from the body of a job."""
    return next(phase for phase in job["phases"] if phase["code"] == code)


def by_age(folder: Path, names: Sequence[str]) -> list[str]:
    """Sort files of a folder by age, the oldest first."""
    return sorted(names, key=lambda name: (taken(folder / name), name))


def taken(path: Path) -> float:
    """Return the modification time of a file; 0 if it is missing."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def described(folder: Path, name: str, *, hashes: training_images.KnownHashes) -> Body:
    """Describe an image for the site. An unreadable image has no hash and fails in the phase training."""
    image: Body = {"path": name, "created_at": datetime.fromtimestamp(taken(folder / name), UTC).isoformat()}
    try:
        picture = training_images.read(images.inside(folder, name))
    except images.Unreadable:
        return image
    return {**image, "hash": hashes.nearest(training_images.phash(picture))}
