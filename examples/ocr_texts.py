"""Text files of documents, and the merge of their chunks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Body = dict[str, Any]
RESULT_BYTES = 16 * 1024
REMEDY = "restart the phase ocr of this document"


class Altered(Exception):
    """The text file of a chunk is missing or differs from the report; the message names the chunk."""


class Texts:
    """Text files below one folder, which all workers of a site share.

    The name of a file contains the attempt of its claim, so that a worker that lost its lease never overwrites the file
    of the next worker.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, *, document: int, name: str, attempt: int) -> dict[str, str]:
        """Write a text atomically; return its checksum and relative path for the report."""
        path = self.folder / f"document-{document}" / f"{name}.attempt-{attempt}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_bytes(text.encode())
        unfinished.replace(path)
        return {"checksum": checksum(text), "path": path.relative_to(self.folder).as_posix()}

    def read(self, chunk: Body) -> str:
        """Read the text of a completed chunk. Altered if it differs from the report."""
        path = (self.folder / (chunk["result_path"] or "")).resolve()
        if self.folder.resolve() not in path.parents:
            raise Altered(f"{named(chunk)}: its worker reported no path in {self.folder}")
        try:
            text = path.read_bytes().decode()
        except (OSError, ValueError) as error:
            raise Altered(f"{named(chunk)}: its text cannot be read from {path}; {REMEDY}") from error
        if checksum(text) != chunk["result_checksum"]:
            raise Altered(f"{named(chunk)}: its text in {path} does not have the reported checksum; {REMEDY}")
        return text

    def merged(self, chunks: Iterable[Body]) -> str:
        """Merge the texts of a document in page order, with a note in place of each chunk that is not completed."""
        ordered = sorted(chunks, key=lambda chunk: chunk["chunk_index"])
        return "".join(self.read(chunk) if completed(chunk) else missing(chunk) for chunk in ordered)


def checksum(text: str) -> str:
    """Compute the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def marked(page: int, text: str) -> str:
    """Put a header above the text of a page."""
    return f"--- page {page} ---\n{text}\n\n"


def merge_result(kept: dict[str, str], chunks: Iterable[Body]) -> Body:
    """Build the result of a merge, with the checksum of each merged chunk for the check of the site.

    If the list is too long for a result, it contains one digest of all checksums instead.
    """
    done = sorted((chunk for chunk in chunks if completed(chunk)), key=lambda chunk: chunk["chunk_index"])
    checksums = [{"chunk_index": chunk["chunk_index"], "checksum": chunk["result_checksum"]} for chunk in done]
    result = {**kept, "chunks": checksums}
    if len(json.dumps(result)) <= RESULT_BYTES:
        return result
    lines = "".join(f"{chunk['chunk_index']}:{chunk['checksum']}\n" for chunk in checksums)
    return {**kept, "chunks_digest": hashlib.sha256(lines.encode()).hexdigest()}


def completed(chunk: Body) -> bool:
    """Check whether a chunk has a text."""
    return bool(chunk["status"] == "completed")


def missing(chunk: Body) -> str:
    """Return the note in place of a chunk without a text."""
    return f"--- pages {chunk['page_start']}-{chunk['page_end']} are missing: {chunk['status']} ---\n\n"


def named(chunk: Body) -> str:
    """Name a chunk: `chunk 12 (pages 56-60)`."""
    return f"chunk {chunk['chunk_index'] + 1} (pages {chunk['page_start']}-{chunk['page_end']})"
