"""The chunks of a document: grid, counts and the current chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from jobs.console import status_styles
from jobs.models import Phase
from jobs.rules import progress
from jobs.rules.statuses import ItemStatus
from ocr_chunks.models import Chunk

MOST_CARDS = 120
MOST_UNSCROLLED = 400
CHUNK_FIELDS = ("pk", "chunk_index", "page_start", "page_end")
STATE_FIELDS = ("status", "attempt", "worker", "error", "signature", "label", "started_at", "finished_at")


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk with the fields of its item."""

    pk: int
    index: int
    first: int
    last: int
    status: str
    attempt: int
    worker: str
    error: str
    signature: str
    label: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One chunk in the grid; `name` is its text for screen readers.

    `tab` is its tabindex: the tab key reaches the first cell, arrow keys the others.
    """

    item_id: int
    style_code: str
    number: int
    pages: str
    name: str
    address: str
    title: str
    tab: str


@dataclass(frozen=True, slots=True)
class Grid:
    """All chunks of a document: cards up to MOST_CARDS, small cells above."""

    cells: list[Cell]

    @property
    def shape(self) -> str:
        """CSS classes: `cards`, `small`, or `small many` for a grid with its own scroll bar."""
        if len(self.cells) <= MOST_CARDS:
            return "cards"
        return "small" if len(self.cells) <= MOST_UNSCROLLED else "small many"

    @property
    def states(self) -> str:
        """One letter per cell, the first of its style code; enough for a page to update its cells."""
        return "".join(cell.style_code[0] for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Count:
    """Number of chunks in one status, and the address of their list."""

    style: status_styles.StatusStyle
    count: int
    address: str


def failed_of(document_id: int) -> list[ChunkRow]:
    """Return the failed chunks of a document in order; one query."""
    return _rows(Chunk.objects.filter(document=document_id, item__status=ItemStatus.FAILED).order_by("chunk_index"))


def current_of(document_id: int) -> ChunkRow | None:
    """Return the current chunk: the first leased one, else the last settled one."""
    chunks = Chunk.objects.filter(document=document_id)
    held = chunks.filter(item__status=ItemStatus.PROCESSING).order_by("chunk_index")
    settled = chunks.filter(item__finished_at__isnull=False).order_by("-item__finished_at", "-chunk_index")
    return next(iter(_rows(held[:1]) or _rows(settled[:1])), None)


def _rows(chunks: QuerySet[Chunk]) -> list[ChunkRow]:
    return [ChunkRow(*row) for row in chunks.values_list(*CHUNK_FIELDS, *(f"item__{name}" for name in STATE_FIELDS))]


def grid_of(document_id: int, *, errors: Mapping[int, str]) -> Grid:
    """Return the grid of a document; one query. `errors` by chunk id become the titles of cards."""
    fields = (*CHUNK_FIELDS, "item__status")
    rows = Chunk.objects.filter(document=document_id).order_by("chunk_index").values_list(*fields)
    before, _, after = reverse("admin:jobs_item_change", args=[0]).rpartition("0")
    return Grid([_cell(*row, address=f"{before}{row[0]}{after}", error=errors.get(row[0], "")) for row in rows])


def _cell(pk: int, index: int, first: int, last: int, status: str, *, address: str, error: str) -> Cell:
    style = status_styles.STYLES[status]
    is_single_page = first == last
    name = f"{style.label}, chunk {index + 1}, " + (f"page {first}" if is_single_page else f"pages {first} to {last}")
    return Cell(
        item_id=pk,
        style_code=style.code,
        number=index + 1,
        pages=str(first) if is_single_page else f"{first}-{last}",
        name=name,
        address=address,
        title=f"{name}: {error}" if error else name,
        tab="-1" if index else "0",
    )


def counts_of(ocr: Phase) -> list[Count]:
    """Return the number of chunks per status, without empty ones."""
    counts = {
        ItemStatus.COMPLETED: ocr.done,
        ItemStatus.SKIPPED: ocr.skipped,
        ItemStatus.PROCESSING: ocr.processing,
        ItemStatus.PENDING: max(0, ocr.pending_items),
        ItemStatus.FAILED: ocr.failed,
    }
    return [
        Count(status_styles.STYLES[status], count, items_url(ocr, status)) for status, count in counts.items() if count
    ]


def items_url(ocr: Phase, status: str) -> str:
    """Return the address of the list of items with this status."""
    return f"?{urlencode({'phase': ocr.code, 'status': status})}#items"


def missing_chunks(ocr: Phase) -> int:
    """Return how many more chunks must be done before the merge can start."""
    needed = progress.needed(ocr.expected, ocr.threshold) or 0
    return max(0, needed - ocr.counts.processed)
