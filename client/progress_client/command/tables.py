"""Text tables, bars and colours for terminals. Pure: plain values in, lines out.

Texts come from workers, so control characters are replaced before they reach the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
CUT = "…"
STYLES = {"": "", "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


@dataclass(frozen=True)
class TerminalStyle:
    """Output style: maximum width (None: unlimited), colours and icons."""

    width: int | None = None
    colour: bool = False
    icons: bool = False

    def paint(self, text: str, style: str) -> str:
        """Add the escape codes of a style to a text, if colours are on."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colour and style and text else text


PLAIN = TerminalStyle()


@dataclass(frozen=True)
class Cell:
    """A text with a style."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Column:
    """A table column. `least`: minimum width; `drop`: order in which columns are left out (1 first, 0 never)."""

    title: str
    right: bool = False
    least: int = 0
    drop: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], style: TerminalStyle = PLAIN) -> list[str]:
    """Render a table with its heads. If it is too wide, columns shrink and then are left out."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    cells = [[Cell(clean(cell.text), cell.style) for cell in row] for row in cells]
    wanted = [max(map(width, [c.title, *(row[n].text for row in cells)])) for n, c in enumerate(columns)]
    shown = _shown(columns, wanted, most=style.width)
    widths = _widths(columns, wanted, shown, most=style.width)
    heads = [Cell(column.title, "dim") for column in columns]
    return [_line(columns, row, shown, widths, style) for row in [heads, *cells]]


def _shown(columns: Sequence[Column], wanted: Sequence[int], *, most: int | None) -> list[int]:
    """Select the columns that fit at their minimum widths."""
    shown = list(range(len(columns)))
    giving = sorted((n for n in shown if columns[n].drop), key=lambda n: columns[n].drop)
    for n in giving:
        if most is None or _sum([_least(columns[m], wanted[m]) for m in shown]) <= most:
            break
        shown.remove(n)
    return shown


def _widths(columns: Sequence[Column], wanted: Sequence[int], shown: list[int], *, most: int | None) -> dict[int, int]:
    """Compute the width of each shown column; if there is too little room, the last columns shrink first."""
    widths = {n: wanted[n] for n in shown}
    over = 0 if most is None else _sum(list(widths.values())) - most
    for n in reversed(shown):
        less = min(max(0, over), widths[n] - _least(columns[n], wanted[n]))
        widths[n], over = widths[n] - less, over - less
    return widths


def _least(column: Column, wanted: int) -> int:
    return min(wanted, max(column.least, width(column.title))) if column.least else wanted


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * max(0, len(widths) - 1)


def _line(
    columns: Sequence[Column], row: Sequence[Cell], shown: Sequence[int], widths: dict[int, int], style: TerminalStyle
) -> str:
    parts = []
    for n in shown:
        text = cut(row[n].text, widths[n])
        space = " " * (widths[n] - width(text))
        painted = style.paint(text, row[n].style)
        parts.append(f"{space}{painted}" if columns[n].right else f"{painted}{space}")
    return GAP.join(parts).rstrip()


def bar(percent: int | None, settled: int | None, *, length: int, mark: int | None = None) -> str:
    """Render a bar of done, failed and open work, with a mark at the threshold: `[████▒▒░░│░]`."""
    if percent is None:
        return f"[{'?':^{length}}]"
    done, lost = percent * length // 100, max(percent, settled or 0) * length // 100
    cells = ["█"] * done + ["▒"] * (lost - done) + ["░"] * (length - lost)
    if mark is not None and percent < mark < 100 and mark * length // 100 >= lost:
        cells[mark * length // 100] = "│"
    return f"[{''.join(cells)}]"


def clean(text: str) -> str:
    """Put a text on one line and replace control characters."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\N{MIDDLE DOT}" for char in str(text))


def width(text: str) -> int:
    """Count the terminal columns of a text."""
    return sum(map(_places, text))


def _places(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, most: int) -> str:
    """Shorten a text to at most `most` terminal columns, with `…` at the cut."""
    if width(text) <= most:
        return text
    kept, places = "", 0
    for char in text:
        places += _places(char)
        if places > most - 1:
            break
        kept += char
    return kept + CUT if most > 0 else ""
