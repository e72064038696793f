"""The merge of a document as a bar of its own, with its state in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.console import status_styles
from jobs.models import Item, Phase
from jobs.models.items import digest
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import pluralize
from jobs.rules.statuses import ItemStatus, JobStatus, PhaseStatus
from ocr_chunks.models import MERGE
from ocr_chunks.views.chunks import missing

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge: its look, its state in words, and where it has failed the button that retries it.

    The page adds to the words since when it runs, who has it and which attempt it is.
    """

    face: status_styles.StatusStyle
    said: str
    item: Item
    path: str
    retry: ActButton | None

    @property
    def is_running(self) -> bool:
        """Somebody holds it; how far they are nobody knows."""
        return self.item.status == ItemStatus.PROCESSING

    @property
    def percent(self) -> int:
        """It is one piece of work: nothing of it is done, or all."""
        return 100 if self.item.status in (ItemStatus.COMPLETED, ItemStatus.SKIPPED) else 0


def merge_of(figures: JobSnapshot, user: User | AnonymousUser, *, ocr: Phase, merge: Phase) -> Merge:
    """The merge behind the chunks of this document, by one query."""
    item = Item.objects.keyed([merge.pk], [digest(MERGE)]).get()
    return Merge(
        face=status_styles.style(merge.status, partial=merge.partial),
        said=_words(figures, item, ocr=ocr, merge=merge),
        item=item,
        path=_path(item),
        retry=_retry(figures, user, merge) if item.status == ItemStatus.FAILED else None,
    )


def _words(figures: JobSnapshot, item: Item, *, ocr: Phase, merge: Phase) -> str:
    if merge.status == PhaseStatus.CANCELLED:
        return "cancelled before it was merged"
    if merge.status == PhaseStatus.FAILED:
        return f"not merged: {item.error or merge.error}"
    if merge.is_completed:
        return _end(item)
    if not merge.gate_open:
        return f"waits for {_awaited(ocr)}"
    if item.status == ItemStatus.PROCESSING:
        return "merging"
    paused = figures.job.status == JobStatus.PAUSED
    return "every chunk is there, but the job is paused" if paused else "every chunk is there; waits for a worker"


def _end(item: Item) -> str:
    if item.status == ItemStatus.COMPLETED:
        return "merged"
    return "skipped, nothing was merged" if item.status == ItemStatus.SKIPPED else "completed by force without a merge"


def _awaited(ocr: Phase) -> str:
    """`7 chunks, 1 of them failed`; with a lower threshold the failed ones need not be among those."""
    counts = ocr.counts
    awaited = pluralize(missing(ocr), "chunk")
    if not counts.failed:
        return awaited
    if counts.settled == counts.expected:
        return pluralize(missing(ocr), "failed chunk")
    return (
        f"{awaited}, {counts.failed:,} of them failed"
        if ocr.threshold == 100
        else f"{awaited}; {counts.failed:,} failed"
    )


def _path(item: Item) -> str:
    """Where the worker has put the merged text, if it said so; any other value is shown with the item."""
    path = item.result.get("path")
    return path if isinstance(path, str) else ""


def _retry(figures: JobSnapshot, user: User | AnonymousUser, merge: Phase) -> ActButton:
    return replace(act_button("retry", figures, user, phase=merge.code), label="Retry the merge…")
