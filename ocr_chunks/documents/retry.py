"""Retry of failed chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs import operations
from jobs.operations import Act
from jobs.rules.errors import NotFound
from jobs.rules.formatting import pluralize
from ocr_chunks.models import OCR, Chunk, Document

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def retry_chunks(
    document: Document,
    *,
    chunks: Sequence[int] | None = None,
    error_signature: str = "",
    actor: User | None,
    reason: str = "",
    revision: int | None = None,
) -> Act:
    """Set failed chunks to pending: by index, by error signature, or all of the document.

    `changed` is the number of chunks; a refusal has the id of its chunk. Raises NotFound for an unknown index, and the
    errors of `operations.retry`.
    """
    operations.require_permission(actor, "retry")
    act = operations.retry(
        document.job,
        phase=OCR,
        items=None if chunks is None else _ids(document, chunks),
        error_signature=error_signature,
        actor=actor,
        reason=reason,
        revision=revision,
    )
    return replace(act, detail=_sentence(act.changed))


def _ids(document: Document, chunks: Sequence[int]) -> list[int]:
    found = dict(Chunk.objects.filter(document=document).values_list("chunk_index", "pk"))
    missing = [index for index in chunks if index not in found]
    if missing:
        raise NotFound(
            f"Document {document.job.name} has no chunk_index {missing[0]}; its chunks are 0 to {len(found) - 1}."
        )
    return [found[index] for index in chunks]


def _sentence(changed: int) -> str:
    if not changed:
        return "There are no failed chunks to retry."
    return f"{pluralize(changed, 'failed chunk')} {'is' if changed == 1 else 'are'} pending again."
