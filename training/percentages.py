"""Percentages of the unified progress: exact fractions, rounded once. Pure: no Django, no database.

Two decimals, half up, and never 100 while a phase is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

WHOLE = 10_000
ALMOST = 9_999


@dataclass(frozen=True, slots=True)
class Part:
    """One phase: `current` of `total` (None or 0: unknown), and its weight."""

    current: int
    total: int | None
    completed: bool
    weight: int = 100


def share(part: Part) -> Fraction:
    """Return the completed share of a part, 0 to 1; 1 for a completed part, 0 while the total is unknown."""
    if part.completed:
        return Fraction(1)
    if not part.total:
        return Fraction(0)
    return min(Fraction(1), Fraction(part.current, part.total))


def percentage(part: Part) -> float:
    """Return the percent of one part: 49.7, 33.33, 100.0; at most 99.99 while it is open."""
    return _rounded(share(part), completed=part.completed)


def overall(parts: Sequence[Part]) -> float:
    """Return the weighted percent of all parts from unrounded shares; at most 99.99 while one is open."""
    total = sum(part.weight for part in parts)
    weighted = sum((part.weight * share(part) for part in parts), start=Fraction(0))
    return _rounded(weighted / total if total else Fraction(0), completed=all(part.completed for part in parts))


def _rounded(exact: Fraction, *, completed: bool) -> float:
    hundredths = floor(exact * WHOLE + Fraction(1, 2))
    return (WHOLE if completed else min(hundredths, ALMOST)) / 100
