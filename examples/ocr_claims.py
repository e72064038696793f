"""Claims of chunks and merges: the oldest item of any document whose file this worker has."""

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
# A file that is being copied, or lies on a busy disk, can be read a little later.
RETRIES = {"retries": 2, "retry_delay": 1}

Body = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One item leased to this worker, with the file of its document."""

    document: int
    phase: str
    item: Body
    file: Path

    @property
    def phase_address(self) -> str:
        """The path of its phase."""
        return f"/jobs/{self.document}/phases/{self.phase}"


class Documents:
    """Documents of the PDFs on the command line, which may name files and folders."""

    def __init__(self, paths: list[Path], *, project: str) -> None:
        self.project = project
        self.paths = paths
        self.own: list[int] = []
        self._facts: dict[int, Body] = {}

    def files(self) -> list[Path]:
        """List the PDFs, sorted within each folder."""
        found = [sorted(path.glob("*.pdf")) if path.is_dir() else [path] for path in self.paths]
        return [path for paths in found for path in paths]

    def create(self, server: Connection, *, pages_per_chunk: int) -> None:
        """Create the document of each file, or find it. Log a file that is not a PDF or that the site rejects."""
        for path in self.files():
            body = {"name": path.name, "project": self.project, "pages_per_chunk": pages_per_chunk, **RETRIES}
            try:
                document = server.post("/documents", {**body, "page_count": page_count(path)})
            except (Unreadable, Refused) as error:
                log.warning("skipped %s: %s", path, error)
                continue
            self.own.append(document["id"])
            log.info("document %s (id %s): %d pages", path.name, document["id"], document["page_count"])

    def file(self, server: Connection, document: int) -> Path | None:
        """Return the file of a document; None if no file here has its project, name and number of pages."""
        if document not in self._facts:
            body = server.get(f"/documents/{document}")
            self._facts[document] = {name: body[name] for name in ("project", "name", "page_count")}
        facts = self._facts[document]
        if facts["project"] != self.project:
            return None
        return next((path for path in self.files() if is_file_of(path, facts)), None)

    def forget(self, document: int) -> None:
        """Forget a deleted document."""
        self.own = [number for number in self.own if number != document]


def is_file_of(path: Path, facts: Body) -> bool:
    """Check whether a file belongs to a document: the same name and the same number of pages."""
    try:
        return path.name == facts["name"] and page_count(path) == facts["page_count"]
    except Unreadable:
        return True  # it was readable when the document was created; now its chunks fail with the reason


class Claims:
    """Claims one item at a time.

    The common claim returns the oldest item of any document, even of one whose file is on another machine. Such an item
    is given back. For a while this worker then claims only from its own documents, so that it does not get the same
    item again.
    """

    def __init__(self, server: Connection, documents: Documents, options: argparse.Namespace) -> None:
        self.server = server
        self.documents = documents
        self._wanted = {"worker": options.worker, "limit": 1, "lease_seconds": options.lease}
        self._common_from = 0.0

    def next(self) -> Work | None:
        """Claim a merge, or else a chunk; None if there is neither."""
        for phase in PHASES:
            ask = self._common if time.monotonic() >= self._common_from else self._own
            work = ask(phase)
            if work:
                return work
        return None

    def give_back(self, document: int, *, phase: str, item: Body) -> None:
        """Give an item back, so that other workers need not wait for its lease to end."""
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
        log.warning("gave back %s of document %s: its file is not here", item["label"], document)
        self.give_back(document, phase=phase, item=item)
        self._common_from = time.monotonic() + FOREIGN_SECONDS
        return None
