"""Failed chunks of a document by error, each with its retry button."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.operations.buttons import ActButton, act_button
from jobs.operations.snapshot import JobSnapshot
from ocr_chunks.views.chunks import ChunkRow

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


LISTED = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed chunk and the button that retries it alone."""

    row: ChunkRow
    button: ActButton

    @property
    def sentence(self) -> str:
        """The failure as the job reports it: `Chunk 5 (pages 101-125) failed: …`."""
        return f"{self.row.label} failed: {self.row.error}"


@dataclass(frozen=True, slots=True)
class ErrorFailures:
    """The first failed chunks with one error; `more` is the number of those in the item list only."""

    failures: list[Failure]
    more: int


def failures_by_error(
    failed: Iterable[ChunkRow], snapshot: JobSnapshot, user: User | AnonymousUser
) -> dict[str, ErrorFailures]:
    """Return the failed chunks by error signature."""
    by_signature: dict[str, list[ChunkRow]] = defaultdict(list)
    for row in failed:
        by_signature[row.signature].append(row)
    return {signature: _failures(rows, snapshot, user) for signature, rows in by_signature.items()}


def _failures(rows: Sequence[ChunkRow], snapshot: JobSnapshot, user: User | AnonymousUser) -> ErrorFailures:
    failures = [_failure(row, snapshot, user) for row in rows[:LISTED]]
    return ErrorFailures(failures, len(rows) - len(failures))


def _failure(row: ChunkRow, snapshot: JobSnapshot, user: User | AnonymousUser) -> Failure:
    button = act_button("retry", snapshot, user, item=str(row.pk))
    return Failure(row, replace(button, label="Retry this one…"))
