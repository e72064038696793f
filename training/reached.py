"""The percent that pages show: what a phase has reached. In the unified progress a completed phase counts as 100."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from jobs.serializers import PhaseBody
from training.percentages import Part, percentage


class Segment(Protocol):
    """A phase in the bar of a session."""

    key: str
    percent: float
    width: float


def reached(shown: Mapping[str, Any], phase: PhaseBody) -> float:
    """Return the percent that a phase has reached."""
    percent: float = shown["progress"]["percentage"]
    if shown["status"] != "completed" or not phase["expected"]:
        return percent
    current = phase["done"] + phase["skipped"]
    return percentage(Part(current=current, total=phase["expected"], completed=not phase["partial"]))


def shown_overall(unified: Mapping[str, Any], segments: Iterable[Any]) -> float:
    """Return the overall percent: that of the unified progress, unless a phase has ended with less than 100."""
    overall: float = unified["overallProgress"]["percentage"]
    parts: list[Segment] = list(segments)
    ended = [part for part in parts if unified["phases"][part.key]["status"] == "completed"]
    if all(part.percent >= 100 for part in ended):
        return overall
    return round(sum(part.percent * part.width for part in parts) / 100, 2)
