"""The items section of the job page: a grid of all items, and a list with filters and checkboxes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from jobs.console import status_styles
from jobs.console.items.attempts import retry_text
from jobs.console.items.filters import filters_of, in_words
from jobs.console.items.item_list import WORST_FIRST, ItemList
from jobs.models import Item, Phase
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number

CELLS = 400
MOST_PICKED = 400
RETRY = ("failures", "available_at")

# The lowest and the highest item id of a phase: one look-up in the index (phase, status, id) per status.
ENDS = """
    SELECT MIN(low), MAX(high) FROM (
        SELECT (SELECT MIN(id) FROM jobs_item WHERE phase_id = %(phase)s AND status = s.name) AS low,
               (SELECT MAX(id) FROM jobs_item WHERE phase_id = %(phase)s AND status = s.name) AS high
        FROM (SELECT 'failed' AS name UNION ALL SELECT 'processing' UNION ALL SELECT 'pending'
              UNION ALL SELECT 'completed' UNION ALL SELECT 'skipped') AS s
    ) AS ends
"""
# Which statuses occur in each block of ids, worst first. Each status is written as a subquery: with a constant and
# stale statistics PostgreSQL would choose a partial index over the items of all jobs.
BLOCKS = """
    WITH RECURSIVE block(low) AS (
        SELECT CAST(%(first)s AS bigint)
        UNION ALL SELECT low + %(size)s FROM block WHERE low + %(size)s <= %(last)s
    )
    SELECT
        EXISTS (SELECT 1 FROM jobs_item WHERE phase_id = %(phase)s AND status = (SELECT 'failed')
                AND id >= low AND id < low + %(size)s),
        EXISTS (SELECT 1 FROM jobs_item WHERE phase_id = %(phase)s AND status = (SELECT 'processing')
                AND id >= low AND id < low + %(size)s),
        EXISTS (SELECT 1 FROM jobs_item WHERE phase_id = %(phase)s AND status = (SELECT 'pending')
                AND id >= low AND id < low + %(size)s),
        EXISTS (SELECT 1 FROM jobs_item WHERE phase_id = %(phase)s AND status = (SELECT 'completed')
                AND id >= low AND id < low + %(size)s),
        EXISTS (SELECT 1 FROM jobs_item WHERE phase_id = %(phase)s AND status = (SELECT 'skipped')
                AND id >= low AND id < low + %(size)s)
    FROM block ORDER BY low
"""
# How many items of each block have failed, and how many items it has. The first reads the failed items of the phase
# from the index (phase, status, id), the second walks the ids of the phase in order.
FAILED_IN_BLOCKS = """
    SELECT (id - %(first)s) / %(size)s AS block, COUNT(*) FROM jobs_item
    WHERE phase_id = %(phase)s AND status = (SELECT 'failed') GROUP BY block
"""
FEW_CELLS = 12
SHADES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One item, or a block of neighbouring items; `failed` of its items have failed, `shade` (1 to 4) is their share.

    `label` and `note` are shown where there are few cells.
    """

    style: status_styles.StatusStyle
    description: str
    item_id: int | None = None
    address: str = ""
    failed: int = 0
    shade: int = 0
    label: str = ""
    note: str = ""


def items_section(request: HttpRequest, snapshot: JobSnapshot, *, grid: bool = True) -> dict[str, Any]:
    """Return the context of the section: the shown phase, its grid (unless disabled), and one page of its list."""
    phase = _phase(snapshot, request.GET.get("phase", ""))
    if phase is None:
        return {"items_phase": None}
    filters = filters_of(request.GET)
    listed = ItemList(phase, filters, request.GET)
    return {
        "items_phase": phase,
        "items_phases": [other for other in snapshot.phases if other.items_total],
        "cells": _cells(phase) if grid else None,
        "few_cells": phase.items_total <= FEW_CELLS,
        "cell_size": max(1, -(-phase.items_total // CELLS)),
        "items": listed.page(),
        "items_tabs": listed.tabs(),
        "items_matching": listed.matching(snapshot, request.user, back=request.get_full_path()),
        "items_filters": filters,
        "items_narrowed": in_words({**filters, "status": ""}),
        "items_unfiltered": listed.address(**dict.fromkeys(filters, "")),
        "most_picked": MOST_PICKED,
    }


def _phase(snapshot: JobSnapshot, code: str) -> Phase | None:
    """Return the requested phase, else the first running one, else the first one with items."""
    holding = [phase for phase in snapshot.phases if phase.items_total]
    requested = [phase for phase in holding if phase.code == code]
    current = [phase for phase in holding if phase.is_open and phase.started_at]
    return next(iter(requested + current + holding), None)


def _cells(phase: Phase) -> list[Cell]:
    if phase.items_total > CELLS:
        return _blocks(phase)
    rows = Item.objects.filter(phase=phase).order_by("pk").only("status", "label", "key", "error", *RETRY)
    now = timezone.now()
    return [_cell(item, retries=phase.retries, now=now) for item in rows[:CELLS]]


def _cell(item: Item, *, retries: int, now: datetime) -> Cell:
    style = status_styles.STYLES[item.status]
    note = retry_text(item, retries=retries, now=now)
    parts = [f"{item}: {style.label}", note, item.error]
    return Cell(style, ", ".join(filter(None, parts)), item.pk, label=str(item), note=note)


def _blocks(phase: Phase) -> list[Cell]:
    """Return blocks of neighbouring ids. A block costs one index look-up per status, whatever its size."""
    with connection.cursor() as cursor:
        cursor.execute(ENDS, {"phase": phase.pk})
        first, last = cursor.fetchone()
        if first is None:
            return []
        size = -(-(last - first + 1) // CELLS)
        place = {"phase": phase.pk, "first": first, "last": last, "size": size}
        cursor.execute(BLOCKS, place)
        found = cursor.fetchall()
        failed = _failed_in_blocks(cursor, place) if phase.failed else {}
    return [
        _block(phase, row, number, failed=failed.get(number, 0), first=first + number * size, size=size)
        for number, row in enumerate(found)
        if any(row)
    ]


def _failed_in_blocks(cursor: Any, place: dict[str, int]) -> dict[int, int]:
    cursor.execute(FAILED_IN_BLOCKS, place)
    return dict(cursor.fetchall())


def _block(phase: Phase, row: tuple[Any, ...], place: int, *, failed: int, first: int, size: int) -> Cell:
    """Return the cell of a block, linked to the list of its items; its shade is the share of failed items."""
    worst = next(status for status, occurs in zip(WORST_FIRST, row, strict=True) if occurs)
    style = status_styles.STYLES[worst]
    address = f"?{urlencode({'phase': phase.code, 'range': f'{first}-{first + size - 1}'})}#items"
    share = f"{format_number(failed)} of about {format_number(size)} failed"
    text = f"Block {format_number(place + 1)}: {share if failed else f'worst is {style.label.lower()}'}"
    return Cell(style, text, address=address, failed=failed, shade=min(SHADES, -(-failed * SHADES // size)))
