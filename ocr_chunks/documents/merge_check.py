"""Check of a merge result against the completed chunks."""

from __future__ import annotations

import hashlib
from typing import Any

from jobs.models import Job, Phase
from jobs.rules.statuses import ItemStatus
from ocr_chunks.models import MERGE, Chunk

CODE = "checksum_mismatch"


def check_result(job: Job, phase: Phase, result: dict[str, Any]) -> str | None:
    """Return why a merge result is refused, or None; one query.

    A result may list the merged chunks in any order. The list must name each completed chunk once with its checksum
    (null, empty or omitted if the chunk has none); skipped chunks may be omitted. A result that is too large for the
    list gives `chunks_digest` instead: the SHA-256 of the lines `index:checksum` of all completed chunks in order,
    each line with its newline.
    """
    if phase.code != MERGE or not result.keys() & {"chunks", "chunks_digest"}:
        return None
    known = DocumentChunks(job)
    problem = _problem(result["chunks"], known) if "chunks" in result else None
    if problem is None and "chunks_digest" in result and result["chunks_digest"] != known.digest():
        problem = "chunks_digest is not that of the completed chunks."
    return f"{CODE}: {problem}" if problem else None


class DocumentChunks:
    """The chunks of a document by their index: status and checksum."""

    def __init__(self, job: Job) -> None:
        rows = Chunk.objects.filter(document=job.pk).order_by("chunk_index")
        fields = ("chunk_index", "item__status", "item__checksum")
        self.chunks = {index: (status, checksum) for index, status, checksum in rows.values_list(*fields)}

    def problem(self, index: int, merged_checksum: str) -> str | None:
        """Return the problem of one entry of the list, or None."""
        if index not in self.chunks:
            return f"the document has no chunk_index {index}."
        status, checksum = self.chunks[index]
        if status not in (ItemStatus.COMPLETED, ItemStatus.SKIPPED):
            return f"chunk_index {index} is {status}, so it cannot have been merged."
        if merged_checksum != checksum:
            return f"chunk_index {index} has the checksum {checksum or 'none'}, not {merged_checksum or 'none'}."
        return None

    def digest(self) -> str:
        """Return the digest of all completed chunks."""
        lines = "".join(f"{index}:{self.chunks[index][1]}\n" for index in self.completed())
        return hashlib.sha256(lines.encode()).hexdigest()

    def completed(self) -> list[int]:
        """Return the indexes that a list must name."""
        return [index for index, (status, _) in self.chunks.items() if status == ItemStatus.COMPLETED]


def _problem(chunks: Any, known: DocumentChunks) -> str | None:
    if not isinstance(chunks, list):
        return "chunks must be a list of objects with chunk_index and checksum."
    named: set[int] = set()
    for position, entry in enumerate(chunks):
        pair = _entry(entry)
        if pair is None:
            return f"chunks[{position}] must be an object with a whole number as chunk_index and a text as checksum."
        index, checksum = pair
        problem = f"chunk_index {index} is named twice." if index in named else known.problem(index, checksum)
        if problem:
            return problem
        named.add(index)
    missing = next((index for index in known.completed() if index not in named), None)
    return None if missing is None else f"chunk_index {missing} is completed, but the list leaves it out."


def _entry(entry: Any) -> tuple[int, str] | None:
    """Return index and checksum; None if the entry has another shape."""
    if not isinstance(entry, dict):
        return None
    index, checksum = entry.get("chunk_index"), entry.get("checksum")
    if type(index) is not int or not isinstance(checksum, str | None):
        return None
    return index, checksum or ""
