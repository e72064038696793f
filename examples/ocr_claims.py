"""Which chunk or merge a worker takes next: the oldest of any document whose file it has."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connection import Connection, Refused
from ocr_pages import Unreadable, page_count

log = logging.getLogger("worker")

KIND = "ocr"
MERGE, OCR = "merge", "ocr"
PHASES = (MERGE, OCR)
FOREIGN_SECONDS = 60.0
NOT_FOUND = 404

Body = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One item that this worker holds, with the file of its document."""

    document: int
    phase: str
    item: Body
    file: Path

    @property
    def phase_address(self) -> str:
        """Where its phase is reported to."""
        return f"/jobs/{self.document}/phases/{self.phase}"


class Documents:
    """The documents of the PDFs that were named on the command line, and of all in the folders that were."""

    def __init__(self, paths: list[Path], *, project: str) -> None:
        self.project = project
        self.paths = paths
        self.own: list[int] = []
        self._asked: dict[int, Body] = {}

    def files(self) -> list[Path]:
        """The PDFs, sorted within each folder."""
        found = [sorted(path.glob("*.pdf")) if path.is_dir() else [path] for path in self.paths]
        return [path for paths in found for path in paths]

    def create(self, server: Connection, *, pages_per_chunk: int) -> None:
        """Create the document of each file, or find it; a file that is no PDF, or a refusal, is logged."""
        for path in self.files():
            body = {"name": path.name, "project": self.project, "pages_per_chunk": pages_per_chunk}
            try:
                document = server.post("/documents", {**body, "page_count": page_count(path)})
            except (Unreadable, Refused) as error:
                log.warning("left out %s: %s", path, error)
                continue
            self.own.append(document["id"])
            log.info("document %s (id %s): %d pages", path.name, document["id"], document["page_count"])

    def file(self, server: Connection, document: int) -> Path | None:
        """The file of a document; None where this worker has none of that project, name and number of pages."""
        if document not in self._asked:
            body = server.get(f"/documents/{document}")
            self._asked[document] = {name: body[name] for name in ("project", "name", "page_count")}
        facts = self._asked[document]
        if facts["project"] != self.project:
            return None
        return next((path for path in self.files() if is_file_of(path, facts)), None)

    def forget(self, document: int) -> None:
        """It is not there any more."""
        self.own = [number for number in self.own if number != document]


def is_file_of(path: Path, facts: Body) -> bool:
    """Is this the file of the document? One of the same name with other pages is not."""
    try:
        return path.name == facts["name"] and page_count(path) == facts["page_count"]
    except Unreadable:
        return True  # it was the file when the document was created; its chunks fail with the reason


class Claims:
    """Takes one item at a time.

    The common claim hands out the oldest item of any document, also of one whose file is elsewhere. Such an item is
    given back, and for a while only documents of our own are asked for, so that nobody passes it to and fro.
    """

    def __init__(self, server: Connection, documents: Documents, options: argparse.Namespace) -> None:
        self.server = server
        self.documents = documents
        self._wanted = {"worker": options.worker, "limit": 1, "lease_seconds": options.lease}
        self._common_from = 0.0

    def next(self) -> Work | None:
        """A merge, or else a chunk; None where nothing can be had now."""
        for phase in PHASES:
            ask = self._common if time.monotonic() >= self._common_from else self._own
            work = ask(phase)
            if work:
                return work
        return None

    def give_back(self, document: int, *, phase: str, item: Body) -> None:
        """Return an item, so that nobody has to wait for its lease."""
        result = {"key": item["key"], "attempt": item["attempt"], "status": "pending"}
        body = {"worker": self._wanted["worker"], "results": [result]}
        self.server.post(f"/jobs/{document}/phases/{phase}/report", body)

    def _common(self, phase: str) -> Work | None:
        items = self.server.post("/claim", {**self._wanted, "phase": phase, "kind": KIND})["items"]
        return self._work(items[0]["job"], phase=phase, item=items[0]) if items else None

    def _own(self, phase: str) -> Work | None:
        for document in self.documents.own:
            try:
                items = self.server.post(f"/jobs/{document}/phases/{phase}/claim", self._wanted)["items"]
            except Refused as error:
                if error.status != NOT_FOUND:
                    raise
                self.documents.forget(document)
                continue
            if items:
                return self._work(document, phase=phase, item=items[0])
        return None

    def _work(self, document: int, *, phase: str, item: Body) -> Work | None:
        file = self.documents.file(self.server, document)
        if file:
            return Work(document, phase, item, file)
        log.warning("gave %s of document %s back: its file is not here", item["label"], document)
        self.give_back(document, phase=phase, item=item)
        self._common_from = time.monotonic() + FOREIGN_SECONDS
        return None
