"""The items of a job: a grid that shows all of them, and a list that can be filtered and ticked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.http import HttpRequest

from jobs.console import status_styles
from jobs.console.items.filters import filters_of, in_words
from jobs.console.items.item_list import WORST_FIRST, ItemList
from jobs.models import Item, Phase
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number

CELLS = 400
MOST_PICKED = 400

# The lowest and the highest item of a phase, by one look into the index (phase, status, id) for each status.
ENDS = """
    SELECT MIN(low), MAX(high) FROM (
        SELECT (SELECT MIN(id) FROM jobs_item WHERE phase_id = %(phase)s AND status = s.name) AS low,
               (SELECT MAX(id) FROM jobs_item WHERE phase_id = %(phase)s AND status = s.name) AS high
        FROM (SELECT 'failed' AS name UNION ALL SELECT 'processing' UNION ALL SELECT 'pending'
              UNION ALL SELECT 'completed' UNION ALL SELECT 'skipped') AS s
    ) AS ends
"""
# Which statuses occur in each of the blocks between them, the worst first. Each status stands in a subquery: as a
# constant it would let PostgreSQL take a partial index over the whole site while its statistics are old.
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


@dataclass(frozen=True, slots=True)
class Cell:
    """One item, or a block of neighbours with the worst status among them."""

    face: status_styles.StatusStyle
    said: str
    item_id: int | None = None
    address: str = ""


def items_section(request: HttpRequest, figures: JobSnapshot, *, grid: bool = True) -> dict[str, Any]:
    """The context of the section: the phase whose items are shown, its grid if it is wanted, one page of its list."""
    phase = _phase(figures, request.GET.get("phase", ""))
    if phase is None:
        return {"items_phase": None}
    filters = filters_of(request.GET)
    listed = ItemList(phase, filters, request.GET)
    return {
        "items_phase": phase,
        "items_phases": [other for other in figures.phases if other.items_total],
        "cells": _cells(phase) if grid else None,
        "cell_size": max(1, -(-phase.items_total // CELLS)),
        "items": listed.page(),
        "items_tabs": listed.tabs(),
        "items_matching": listed.matching(figures, request.user, back=request.get_full_path()),
        "items_filters": filters,
        "items_narrowed": in_words({**filters, "status": ""}),
        "items_unfiltered": listed.address(**dict.fromkeys(filters, "")),
        "most_picked": MOST_PICKED,
    }


def _phase(figures: JobSnapshot, code: str) -> Phase | None:
    """The asked phase, else the first unfinished one that has begun, else the first that holds items."""
    holding = [phase for phase in figures.phases if phase.items_total]
    asked = [phase for phase in holding if phase.code == code]
    current = [phase for phase in holding if phase.is_open and phase.started_at]
    return next(iter(asked + current + holding), None)


def _cells(phase: Phase) -> list[Cell]:
    if phase.items_total > CELLS:
        return _blocks(phase)
    rows = Item.objects.filter(phase=phase).order_by("pk").values_list("pk", "status", "label", "key", "error")
    return [_cell(*row) for row in rows[:CELLS]]


def _cell(pk: int, status: str, label: str, key: str, error: str) -> Cell:
    face = status_styles.STYLES[status]
    return Cell(face, f"{label or key}: {face.word}" + (f", {error}" if error else ""), pk)


def _blocks(phase: Phase) -> list[Cell]:
    """Neighbours in the order of listing. Each asks the index only whether a status occurs, however many there are."""
    with connection.cursor() as cursor:
        cursor.execute(ENDS, {"phase": phase.pk})
        first, last = cursor.fetchone()
        if first is None:
            return []
        size = -(-(last - first + 1) // CELLS)
        cursor.execute(BLOCKS, {"phase": phase.pk, "first": first, "last": last, "size": size})
        found = cursor.fetchall()
    return [
        _block(phase, row, place, ids=f"{first + place * size}-{first + place * size + size - 1}")
        for place, row in enumerate(found)
        if any(row)
    ]


def _block(phase: Phase, row: tuple[Any, ...], place: int, *, ids: str) -> Cell:
    """A block; it leads to the list of its items."""
    worst = next(status for status, occurs in zip(WORST_FIRST, row, strict=True) if occurs)
    face = status_styles.STYLES[worst]
    address = f"?{urlencode({'phase': phase.code, 'range': ids})}#items"
    return Cell(face, f"Block {format_number(place + 1)}: worst is {face.word.lower()}", address=address)
