"""A training session as its workers see it: its images, its three phases, and what is told of them."""

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

Body = dict[str, Any]


class Session:
    """One session of the site, found by its name or created."""

    def __init__(self, server: Connection, options: argparse.Namespace) -> None:
        self.server = server
        body = {"name": options.session, "project": options.project}
        self.id = int(server.post("/training", body)["id"])
        self.address, self.job = f"/training/{self.id}", f"/jobs/{self.id}"

    def add_images(self, folder: Path, *, stop: Event) -> None:
        """List what is new in the folder, the oldest first, which is the one that copies are duplicates of.

        A worker that comes later finds all listed and reads nothing; two that come at once find the same hashes.
        """
        known = {item["key"]: item["payload"].get("hash", "") for item in self.items(TRAINING)}
        names = [name for name in by_age(folder, images.find(folder)) if name not in known]
        looks = training_images.Looks(look for look in known.values() if look)
        log.info("session %d: %d images, of which %d are new", self.id, len(known) + len(names), len(names))
        for start in range(0, len(names), LISTED_AT_ONCE):
            if stop.is_set():
                return
            batch = names[start : start + LISTED_AT_ONCE]
            self._tell_images([described(folder, name, looks=looks) for name in batch], complete=False)
        self._tell_images([], complete=True)

    def _tell_images(self, told: Sequence[Body], *, complete: bool) -> None:
        try:
            self.server.post(f"{self.address}/images", {"images": told, "complete": complete})
        except Refused as error:
            log.warning("images are not added: %s", error)

    def items(self, phase: str, *, status: str = "") -> Iterator[Body]:
        """The items of a phase, page by page."""
        query = f"limit=200&status={status}" if status else "limit=200"
        while query:
            page = self.server.get(f"{self.job}/phases/{phase}/items?{query}")
            yield from page["results"]
            query = urlsplit(page["next"] or "").query

    def look(self) -> Body:
        """The job as it is now."""
        return dict(self.server.get(self.job))

    def tell_faces(self, **values: int | float) -> None:
        """Tell absolute numbers of face detection."""
        self._tell("PATCH", "faces", values)

    def tell_clustering(self, status: str, **values: int | str) -> bool:
        """Tell of clustering; False where the site refuses, as after a cancel."""
        return self._tell("POST", "clustering", {"status": status, **values})

    def _tell(self, method: str, what: str, body: Body) -> bool:
        send = self.server.patch if method == "PATCH" else self.server.post
        try:
            send(f"{self.address}/{what}", body)
        except Refused as error:
            log.warning("%s not told: %s", what, error)
            return False
        return True


def is_due(job: Body, phase: str) -> bool:
    """Can this phase be worked on: is it unfinished, and everything before it completed?"""
    if job["status"] in ("paused", "cancelled"):
        return False
    this = phase_of(job, phase)
    earlier = [one["status"] for one in job["phases"] if one["position"] < this["position"]]
    return this["status"] in ("pending", "processing") and set(earlier) <= {"completed"}


def phase_of(job: Body, code: str) -> Body:
    """The phase of this code in the body of a job."""
    return next(phase for phase in job["phases"] if phase["code"] == code)


def by_age(folder: Path, names: Sequence[str]) -> list[str]:
    """These files of a folder, the oldest first."""
    return sorted(names, key=lambda name: (taken(folder / name), name))


def taken(path: Path) -> float:
    """When a file was last written; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def described(folder: Path, name: str, *, looks: training_images.Looks) -> Body:
    """An image as the site lists it. One that cannot be read has no hash, and fails when it is trained with."""
    told: Body = {"path": name, "created_at": datetime.fromtimestamp(taken(folder / name), UTC).isoformat()}
    try:
        picture = training_images.read(images.inside(folder, name))
    except images.Unreadable:
        return told
    return {**told, "hash": looks.like(training_images.phash(picture))}
