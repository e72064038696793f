"""What has failed in a document, in sentences, the same error together, each with the button that retries it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.models import Phase
from jobs.previews import Figures, Offer, offer, refusal
from jobs.words import number
from ocr_chunks.models import OCR
from ocr_chunks.views.chunks import Row

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


MOST_GROUPS = 10
MOST_SENTENCES = 5
MOST_WORKERS = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed chunk: `Chunk 5 (pages 101-125) failed: …`, and the button that retries it alone."""

    row: Row
    offer: Offer

    @property
    def sentence(self) -> str:
        """What the job says of it."""
        return f"{self.row.label} failed: {self.row.error}"


@dataclass(frozen=True, slots=True)
class Group:
    """Failures whose sentences differ only in their numbers, the first few of them in full."""

    count: int
    failures: list[Failure]
    first_at: datetime | None
    last_at: datetime | None
    workers: list[str]
    offer: Offer

    @property
    def error(self) -> str:
        """The error as the first of them says it."""
        return self.failures[0].row.error

    @property
    def others(self) -> int:
        """How many are only in the list of items."""
        return self.count - len(self.failures)


@dataclass(frozen=True, slots=True)
class Failures:
    """What has failed, the most frequent error first; `others` have errors that are not among them."""

    groups: list[Group]
    others: int


def failures_of(failed: Iterable[Row], figures: Figures, user: User | AnonymousUser) -> Failures:
    """These failed chunks, grouped."""
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in failed:
        alike[row.signature].append(row)
    most = sorted(alike.values(), key=len, reverse=True)
    groups = [_group(rows, figures, user) for rows in most[:MOST_GROUPS]]
    return Failures(groups, sum(len(rows) for rows in most[MOST_GROUPS:]))


def _group(failed: Sequence[Row], figures: Figures, user: User | AnonymousUser) -> Group:
    moments = sorted(row.finished_at for row in failed if row.finished_at)
    button = offer("retry", figures, user, phase=OCR, signature=failed[0].signature)
    return Group(
        count=len(failed),
        failures=[_failure(row, figures, user) for row in failed[:MOST_SENTENCES]],
        first_at=moments[0] if moments else None,
        last_at=moments[-1] if moments else None,
        workers=sorted({row.worker for row in failed if row.worker})[:MOST_WORKERS],
        offer=replace(button, label=f"Retry these {number(len(failed))}…"),
    )


def _failure(row: Row, figures: Figures, user: User | AnonymousUser) -> Failure:
    button = offer("retry", figures, user, item=str(row.pk))
    return Failure(row, replace(button, label=f"Retry chunk {number(row.index + 1)}…"))


def retry_all(ocr: Phase, figures: Figures, user: User | AnonymousUser) -> Offer:
    """The button for every failed chunk; the merge is not among them."""
    button = offer("retry", figures, user, phase=OCR)
    if not ocr.failed:
        why_not = refusal(button.act, figures.job, user) or "No chunk has failed."
        return replace(button, label="Retry failed…", why_not=why_not)
    return replace(button, label=f"Retry {number(ocr.failed)} failed…")
