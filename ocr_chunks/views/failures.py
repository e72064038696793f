"""What has failed in a document, chunk by chunk, each with the button that retries it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.models import Phase
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.registry import refusal
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number
from ocr_chunks.models import OCR
from ocr_chunks.views.chunks import Row

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


MOST_SENTENCES = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed chunk: `Chunk 5 (pages 101-125) failed: …`, and the button that retries it alone."""

    row: Row
    offer: ActButton

    @property
    def sentence(self) -> str:
        """What the job says of it."""
        return f"{self.row.label} failed: {self.row.error}"


@dataclass(frozen=True, slots=True)
class Sentences:
    """The first few failed chunks of one error; `others` are only in the list of items."""

    told: list[Failure]
    others: int


def sentences_of(failed: Iterable[Row], figures: JobSnapshot, user: User | AnonymousUser) -> dict[str, Sentences]:
    """The failed chunks of each error, by its signature."""
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in failed:
        alike[row.signature].append(row)
    return {signature: _sentences(rows, figures, user) for signature, rows in alike.items()}


def _sentences(rows: Sequence[Row], figures: JobSnapshot, user: User | AnonymousUser) -> Sentences:
    told = [_failure(row, figures, user) for row in rows[:MOST_SENTENCES]]
    return Sentences(told, len(rows) - len(told))


def _failure(row: Row, figures: JobSnapshot, user: User | AnonymousUser) -> Failure:
    button = act_button("retry", figures, user, item=str(row.pk))
    return Failure(row, replace(button, label=f"Retry chunk {format_number(row.index + 1)}…"))


def retry_all(ocr: Phase, figures: JobSnapshot, user: User | AnonymousUser) -> ActButton:
    """The button for every failed chunk; the merge is not among them."""
    button = act_button("retry", figures, user, phase=OCR)
    if not ocr.failed:
        why_not = refusal(button.act, figures.job, user) or "No chunk has failed."
        return replace(button, label="Retry failed…", why_not=why_not)
    return replace(button, label=f"Retry {format_number(ocr.failed)} failed…")
