"""The small cells of a document with many chunks."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ocr_chunks.views.chunks import Cell

register = template.Library()
SMALL_CELL = '<li><a class="cell {}" data-cell="{}" href="{}" title="{}" tabindex="{}"></a></li>'


@register.simple_tag
def small_cells(cells: Iterable[Cell]) -> SafeString:
    """Cells without text: the stylesheet draws their icons, and their title names them.

    A loop of the template takes ten times as long, which for thousands of chunks would be most of the page.
    """
    rows = ((cell.look, cell.item_id, cell.address, cell.name, cell.tab) for cell in cells)
    return format_html_join("", SMALL_CELL, rows)
