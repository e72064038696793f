"""The texts of documents on the disk, and how the texts of the chunks become one."""

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
    """The text of a chunk is not there as its worker reported it; the text of this names the chunk."""


class Texts:
    """The text files below one folder, which all workers of a site share.

    The name of a file carries the attempt of its claim: who lost an item never writes over the file of its successor.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, *, document: int, name: str, attempt: int) -> dict[str, str]:
        """Keep a text, whole or not at all; its checksum and its path below the folder, as they are reported."""
        path = self.folder / f"document-{document}" / f"{name}.attempt-{attempt}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_bytes(text.encode())
        unfinished.replace(path)
        return {"checksum": checksum(text), "path": path.relative_to(self.folder).as_posix()}

    def read(self, chunk: Body) -> str:
        """The text of a completed chunk; Altered where it is not the one that its worker reported."""
        path = (self.folder / (chunk["result_path"] or "")).resolve()
        if self.folder.resolve() not in path.parents:
            raise Altered(f"{named(chunk)}: its worker told no path of a text in {self.folder}")
        try:
            text = path.read_bytes().decode()
        except (OSError, ValueError) as error:
            raise Altered(f"{named(chunk)}: its text cannot be read from {path}; {REMEDY}") from error
        if checksum(text) != chunk["result_checksum"]:
            raise Altered(f"{named(chunk)}: its text in {path} does not have the reported checksum; {REMEDY}")
        return text

    def merged(self, chunks: Iterable[Body]) -> str:
        """The one text of a document, in the order of its pages; what was not completed is named in its place."""
        ordered = sorted(chunks, key=lambda chunk: chunk["chunk_index"])
        return "".join(self.read(chunk) if completed(chunk) else missing(chunk) for chunk in ordered)


def checksum(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def marked(page: int, text: str) -> str:
    """The text of a page under its mark."""
    return f"--- page {page} ---\n{text}\n\n"


def merge_result(kept: dict[str, str], chunks: Iterable[Body]) -> Body:
    """What is reported of a merge: with the checksum of each chunk that is in it, so that the server checks them too.

    The chunks of a very long document are more than a result may have; there one digest of them all does.
    """
    done = sorted((chunk for chunk in chunks if completed(chunk)), key=lambda chunk: chunk["chunk_index"])
    told = [{"chunk_index": chunk["chunk_index"], "checksum": chunk["result_checksum"]} for chunk in done]
    result = {**kept, "chunks": told}
    if len(json.dumps(result)) <= RESULT_BYTES:
        return result
    lines = "".join(f"{chunk['chunk_index']}:{chunk['checksum']}\n" for chunk in told)
    return {**kept, "chunks_digest": hashlib.sha256(lines.encode()).hexdigest()}


def completed(chunk: Body) -> bool:
    """Is there a text of this chunk?"""
    return bool(chunk["status"] == "completed")


def missing(chunk: Body) -> str:
    """What stands in place of a chunk that was skipped, or that an operator did without."""
    return f"--- pages {chunk['page_start']}-{chunk['page_end']} are missing: {chunk['status']} ---\n\n"


def named(chunk: Body) -> str:
    """`chunk 12 (pages 56-60)`"""
    return f"chunk {chunk['chunk_index'] + 1} (pages {chunk['page_start']}-{chunk['page_end']})"
