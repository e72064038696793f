"""Template tags of the document page: grid cells and failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ocr_chunks.views.chunks import Cell
from ocr_chunks.views.failures import ErrorFailures

register = template.Library()
SMALL_CELL = '<li><a class="cell {}" data-cell="{}" href="{}" title="{}" tabindex="{}"></a></li>'


@register.filter
def of(failures: Mapping[str, ErrorFailures], signature: str) -> ErrorFailures | None:
    """Return the failures with this error signature."""
    return failures.get(signature)


@register.simple_tag
def small_cells(cells: Iterable[Cell]) -> SafeString:
    """Render cells without text; the style sheet draws their icons, and their title names them.

    A template loop takes ten times as long: for thousands of chunks, most of the time of the page.
    """
    rows = ((cell.style_code, cell.item_id, cell.address, cell.name, cell.tab) for cell in cells)
    return format_html_join("", SMALL_CELL, rows)
