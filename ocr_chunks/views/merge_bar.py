"""The merge of a document: its bar, status text and retry button."""

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
from ocr_chunks.views.chunks import missing_chunks

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge phase of a document. The page adds start, worker and attempt to the text."""

    style: status_styles.StatusStyle
    text: str
    item: Item
    path: str
    retry: ActButton | None

    @property
    def is_running(self) -> bool:
        """Whether a worker holds the merge; its progress is unknown."""
        return self.item.status == ItemStatus.PROCESSING

    @property
    def percent(self) -> int:
        """0 or 100: the merge is one item."""
        return 100 if self.item.status in (ItemStatus.COMPLETED, ItemStatus.SKIPPED) else 0


def merge_of(snapshot: JobSnapshot, user: User | AnonymousUser, *, ocr: Phase, merge: Phase) -> Merge:
    """Return the merge of a document; one query."""
    item = Item.objects.keyed([merge.pk], [digest(MERGE)]).get()
    return Merge(
        style=status_styles.style(merge.status, partial=merge.partial),
        text=_text(snapshot, item, ocr=ocr, merge=merge),
        item=item,
        path=_path(item),
        retry=_retry(snapshot, user, merge) if item.status == ItemStatus.FAILED else None,
    )


def _text(snapshot: JobSnapshot, item: Item, *, ocr: Phase, merge: Phase) -> str:
    if merge.status == PhaseStatus.CANCELLED:
        return "cancelled before the merge"
    if merge.status == PhaseStatus.FAILED:
        return f"merge failed: {item.error or merge.error}"
    if merge.is_completed:
        return _end(item)
    if not merge.gate_open:
        return f"waiting for {_missing(ocr)}"
    if item.status == ItemStatus.PROCESSING:
        return "merging"
    paused = snapshot.job.status == JobStatus.PAUSED
    return "all chunks are done, but the job is paused" if paused else "all chunks are done; waiting for a worker"


def _end(item: Item) -> str:
    if item.status == ItemStatus.COMPLETED:
        return "merged"
    return "skipped, nothing was merged" if item.status == ItemStatus.SKIPPED else "force-completed without a merge"


def _missing(ocr: Phase) -> str:
    """Describe the missing chunks: `7 chunks, 1 of them failed`.

    Below a threshold of 100 % the failed chunks are not necessarily among the missing ones.
    """
    counts = ocr.counts
    missing_text = pluralize(missing_chunks(ocr), "chunk")
    if not counts.failed:
        return missing_text
    if counts.settled == counts.expected:
        return pluralize(missing_chunks(ocr), "failed chunk")
    return (
        f"{missing_text}, {counts.failed:,} of them failed"
        if ocr.threshold == 100
        else f"{missing_text}; {counts.failed:,} failed"
    )


def _path(item: Item) -> str:
    """Return the path of the merged text if the worker reported one as text."""
    path = item.result.get("path")
    return path if isinstance(path, str) else ""


def _retry(snapshot: JobSnapshot, user: User | AnonymousUser, merge: Phase) -> ActButton:
    return replace(act_button("retry", snapshot, user, phase=merge.code), label="Retry the merge…")
