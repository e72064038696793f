"""Table that `make bench` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("what", "figure", "baseline", "ratio", "target", "met")


@dataclass(frozen=True)
class Row:
    """One measurement: a figure, its baseline, and the target of the ratio or of the figure."""

    what: str
    unit: str
    measured: float
    baseline: float
    versus: str
    at_least: float | None = None
    at_most: float | None = None
    figure: float | None = None

    @property
    def ratio(self) -> float:
        """Ratio of the figure to the baseline."""
        return self.measured / self.baseline

    @property
    def met(self) -> bool:
        """Is the target reached?"""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return self.figure is None or self.measured >= self.figure

    @property
    def target(self) -> str:
        """Target as a text."""
        if self.at_least is not None:
            return f"ratio >= {self.at_least}"
        if self.at_most is not None:
            return f"ratio <= {self.at_most}"
        return f">= {self.figure:,.0f} {self.unit}" if self.figure is not None else ""

    def cells(self) -> tuple[str, ...]:
        """Return the texts of its columns."""
        baseline = f"{amount(self.baseline)} {self.unit} ({self.versus})"
        met = "yes" if self.met else "NO"
        return (self.what, f"{amount(self.measured)} {self.unit}", baseline, f"{self.ratio:.2f}", self.target, met)


def amount(value: float) -> str:
    """Return a number with its significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(rows: Sequence[Row]) -> str:
    """Return the rows below each other."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])
