"""The grid of a document's chunks: each with its state, its number and its pages."""

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
MOST_IN_SIGHT = 400
CHUNK_FIELDS = ("pk", "chunk_index", "page_start", "page_end")
STATE_FIELDS = ("status", "attempt", "worker", "error", "signature", "label", "started_at", "finished_at")


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk with what its item says of it."""

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
    """One chunk in the grid; `name` is what it is called by those who cannot see it.

    `tab` is its tabindex: the tab key reaches the first of all cells, arrows lead to the others.
    """

    item_id: int
    look: str
    number: int
    pages: str
    name: str
    address: str
    title: str
    tab: str


@dataclass(frozen=True, slots=True)
class Grid:
    """All chunks of a document: cards while there are few, small cells above that."""

    cells: list[Cell]

    @property
    def shape(self) -> str:
        """`cards`, `small`, or `small many` where the grid scrolls within itself."""
        if len(self.cells) <= MOST_CARDS:
            return "cards"
        return "small" if len(self.cells) <= MOST_IN_SIGHT else "small many"

    @property
    def states(self) -> str:
        """One letter for each cell, the first of its look: what a page that has the cells needs to mend them."""
        return "".join(cell.look[0] for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Count:
    """How many chunks are in a state, and the list of those."""

    face: status_styles.StatusStyle
    count: int
    address: str


def failed_of(document_id: int) -> list[Row]:
    """The failed chunks of a document in their order, by one query."""
    return _rows(Chunk.objects.filter(document=document_id, item__status=ItemStatus.FAILED).order_by("chunk_index"))


def current_of(document_id: int) -> Row | None:
    """The chunk that work is on: the first that is held, else the last that was settled."""
    chunks = Chunk.objects.filter(document=document_id)
    held = chunks.filter(item__status=ItemStatus.PROCESSING).order_by("chunk_index")
    settled = chunks.filter(item__finished_at__isnull=False).order_by("-item__finished_at", "-chunk_index")
    return next(iter(_rows(held[:1]) or _rows(settled[:1])), None)


def _rows(chunks: QuerySet[Chunk]) -> list[Row]:
    return [Row(*row) for row in chunks.values_list(*CHUNK_FIELDS, *(f"item__{name}" for name in STATE_FIELDS))]


def grid_of(document_id: int, *, errors: Mapping[int, str]) -> Grid:
    """The grid of a document, by one query; `errors` by chunk are told where the pointer rests on a card."""
    fields = (*CHUNK_FIELDS, "item__status")
    rows = Chunk.objects.filter(document=document_id).order_by("chunk_index").values_list(*fields)
    before, _, after = reverse("admin:jobs_item_change", args=[0]).rpartition("0")
    return Grid([_cell(*row, address=f"{before}{row[0]}{after}", error=errors.get(row[0], "")) for row in rows])


def _cell(pk: int, index: int, first: int, last: int, status: str, *, address: str, error: str) -> Cell:
    face = status_styles.STYLES[status]
    one = first == last
    name = f"{face.word}, chunk {index + 1}, " + (f"page {first}" if one else f"pages {first} to {last}")
    return Cell(
        item_id=pk,
        look=face.code,
        number=index + 1,
        pages=str(first) if one else f"{first}-{last}",
        name=name,
        address=address,
        title=f"{name}: {error}" if error else name,
        tab="-1" if index else "0",
    )


def counts_of(ocr: Phase) -> list[Count]:
    """The states that chunks are in, as the phase counts them."""
    counts = {
        ItemStatus.COMPLETED: ocr.done,
        ItemStatus.SKIPPED: ocr.skipped,
        ItemStatus.PROCESSING: ocr.processing,
        ItemStatus.PENDING: max(0, ocr.pending_items),
        ItemStatus.FAILED: ocr.failed,
    }
    return [
        Count(status_styles.STYLES[status], count, listed(ocr, status)) for status, count in counts.items() if count
    ]


def listed(ocr: Phase, status: str) -> str:
    """The address of the list of those items on this page."""
    return f"?{urlencode({'phase': ocr.code, 'status': status})}#items"


def missing(ocr: Phase) -> int:
    """How many more chunks must be done until the merge may begin."""
    needed = progress.needed(ocr.expected, ocr.threshold) or 0
    return max(0, needed - ocr.counts.processed)
