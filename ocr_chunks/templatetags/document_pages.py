"""The parts of a document's page: its small cells, its failures by their error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ocr_chunks.views.chunks import Cell
from ocr_chunks.views.failures import Sentences

register = template.Library()
SMALL_CELL = '<li><a class="cell {}" data-cell="{}" href="{}" title="{}" tabindex="{}"></a></li>'


@register.filter
def of(failures: Mapping[str, Sentences], signature: str) -> Sentences | None:
    """The failures of this signature."""
    return failures.get(signature)


@register.simple_tag
def small_cells(cells: Iterable[Cell]) -> SafeString:
    """Cells without text: the stylesheet draws their icons, and their title names them.

    A loop of the template takes ten times as long, which for thousands of chunks would be most of the page.
    """
    rows = ((cell.look, cell.item_id, cell.address, cell.name, cell.tab) for cell in cells)
    return format_html_join("", SMALL_CELL, rows)
